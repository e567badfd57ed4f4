"""This module finds a port that a server can be started on, again and again, and nobody else is given."""

import random
import socket
from contextlib import suppress
from pathlib import Path

_TRIALS = 100


def free_port() -> int:
    """Return a TCP port that nobody listens on now, and that the system gives to no connection by itself.

    One that it may give away would be lost to somebody's outgoing connection while the server is down.
    """
    first, last = _ephemeral_ports()
    others = [port for port in range(10_000, 65_536) if not first <= port <= last]
    for port in random.SystemRandom().sample(others, min(len(others), _TRIALS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ephemeral_ports() -> tuple[int, int]:
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    except OSError:
        return 32_768, 65_535
    return int(first), int(last)
