"""An address is a host and a port of this machine; it is bound before anything is served there."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from model.base.errors import EndlosError, OutputError

# Between the stream and a listener who has stopped reading; inherited by each connection.
_SEND_BUFFER_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """How many connections there may be at once, beside those of listeners: pages, and who only asks."""

    connections: int = 256
    of_address: int = 48

    def and_also(self, connections: int, of_address: int) -> "ConnectionLimits":
        """Return the same with room for so many more."""
        return ConnectionLimits(
            connections=self.connections + connections, of_address=self.of_address + of_address
        )


@dataclass(frozen=True, kw_only=True)
class HttpAddress:
    """Where the page and the streams are served."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0: any that is free."""
    fixed: bool = True
    """Whether no other port will do."""
    names: Sequence[str] = ()
    """By which else the page may be asked for, such as that of a reverse proxy."""
    token: str | None = field(default=None, repr=False)
    """What who is not on this machine has to say before anything is changed; None: nothing is."""
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise OutputError(f"{self.port} is no port; expected 1 to 65535, or 0 for any that is free")

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach it."""
        return not is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def bind(self) -> socket.socket:
        """Return a socket that listens there; `OutputError` when it cannot be."""
        try:
            family, _, _, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise OutputError(
                f"{self.host}:{self.port} is no address of this machine ({error}); "
                "expected one such as 127.0.0.1:8000"
            ) from error
        try:
            # Not on Windows, where it would let two programs have the same port.
            if hasattr(socket, "SO_REUSEPORT"):
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            bound.bind(address)
            bound.listen(128)
        except OSError as error:
            bound.close()
            raise OutputError(
                f"{self.host}:{self.port} cannot be served ({error.strerror or error}); "
                "choose another address or port"
            ) from error
        return bound


def parse_address(text: str) -> HttpAddress:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `PORT` (of this machine only); `EndlosError` on anything else."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else HttpAddress.host
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65_535:
        raise EndlosError(f"{text!r} is no address; expected HOST:PORT, such as 127.0.0.1:8000")
    return HttpAddress(host=host, port=int(port))


def is_loopback(host: str) -> bool:
    """Return whether a host, in words or numbers, is this machine as it alone can reach it."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
