"""This helper makes a network of its own behind a line that can be cut and slowed down."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_NEAR, _FAR = "10.231.77.1", "10.231.77.2"


@dataclass(frozen=True, kw_only=True)
class FarNetwork:
    """A network namespace, and the line that leads there."""

    name: str
    host: str = _FAR

    @property
    def command(self) -> tuple[str, ...]:
        """What goes before a command that is to run there."""
        return ("ip", "netns", "exec", self.name)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Have nothing come through, and nobody be told of it."""
        self._set("down")
        try:
            yield
        finally:
            self._set("up")

    @contextmanager
    def slow(self, kbps: int) -> Iterator[None]:
        """Let so many kbit/s through on the way there."""
        _run("tc", "qdisc", "add", "dev", self._line, "root", "tbf", "rate", f"{kbps}kbit", *_BUCKET)
        try:
            yield
        finally:
            _run("tc", "qdisc", "del", "dev", self._line, "root")

    @property
    def _line(self) -> str:
        return f"{self.name}n"

    def _set(self, state: str) -> None:
        # At the far end: the near one keeps its route, so that nothing here is told "unreachable".
        _run(*self.command, "ip", "link", "set", f"{self.name}f", state)


_BUCKET = ("burst", "8kb", "latency", "400ms")


def far_network_possible() -> bool:
    """Return whether networks can be made here: by root, and not in every container."""
    if os.name != "posix" or os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("tc")):
        return False
    name = f"endlos{os.getpid()}p"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


@contextmanager
def far_network() -> Iterator[FarNetwork]:
    """Have such a network for the length of a `with` block."""
    # Names of devices have 15 characters at most.
    network = FarNetwork(name=f"end{os.getpid()}")
    near, far = f"{network.name}n", f"{network.name}f"
    _run("ip", "netns", "add", network.name)
    try:
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", network.name)
        _run("ip", "address", "add", f"{_NEAR}/30", "dev", near)
        _run("ip", "link", "set", near, "up")
        _run(*network.command, "ip", "address", "add", f"{_FAR}/30", "dev", far)
        for device in (far, "lo"):
            _run(*network.command, "ip", "link", "set", device, "up")
        yield network
    finally:
        _run("ip", "netns", "del", network.name)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
