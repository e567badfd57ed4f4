"""A trace by the kernel tells whom a command spoke to, and which files it left in its user's home."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.commands import COMMAND, Running
from tests.support.waiting import wait_until

TRACER = ("strace", "-f", "-s", "256", "-e", "trace=%network,openat")

_ADDRESS = re.compile(r"inet_addr\(\"([^\"]+)\"\)|inet_pton\(AF_INET6, \"([^\"]+)\"")
_HERE = ("127.", "::1", "::ffff:127.", "0.0.0.0", "::")
# A program that asks for an address reads this first, or asks the daemon that keeps names.
_LOOK_UP = re.compile(r"openat\([^\n]*\"/etc/(?:resolv\.conf|host\.conf|gai\.conf)\"|[^\n]*/nscd/socket")
_PARTED = re.compile(r"<unfinished \.\.\.>|<\.\.\. \w+ resumed>")


def traceable() -> bool:
    """Whether `strace` is there."""
    return shutil.which("strace") is not None


def traced(
    words: tuple[str | Path, ...],
    home: Path,
    then: Callable[[Running], None],
    command: tuple[str, ...] = COMMAND,
) -> "Traced":
    """Run `endlos` with `words` and an empty home in `home`, until `then` has ended; return what it did."""
    home.mkdir()
    log = home.with_name(f"{home.name}.strace")
    tracer = (
        "strace",
        "-D",
        "-f",
        "--seccomp-bpf",
        "-s",
        "256",
        "-e",
        "trace=%network,openat",
        "-o",
        str(log),
    )
    left_out = {name: "" for name in os.environ if name.startswith("XDG_") or name == "ENDLOS_HOME"}
    with Running(*words, command=(*tracer, *command), HOME=str(home), **left_out) as running:
        then(running)
        code = running.end()
        ended = re.compile(rf"^{running.pid} +\+\+\+ exited", re.MULTILINE)
        wait_until(lambda: ended.search(log.read_text(errors="replace")) is not None, "the end of the trace")
        return Traced(code, running.printed(), log.read_text(errors="replace"), home)


class Traced:
    """What a command did."""

    def __init__(self, code: int, printed: str, calls: str, home: Path) -> None:
        self.code = code
        self.printed = printed
        calls = _PARTED.sub("", calls)
        addresses = {first or second for first, second in _ADDRESS.findall(calls)}
        self.spoken_to = {address for address in addresses if not _is_here(address)}
        """Addresses of other machines, to or from which something went."""
        self.looked_up = _LOOK_UP.findall(calls)
        """Where it went to turn a name into an address."""
        self.written = {str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()}
        """Files in its user's home."""


def _is_here(address: str) -> bool:
    return any(address == here or (here[-1] in ".1" and address.startswith(here)) for here in _HERE)
