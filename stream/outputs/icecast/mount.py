"""A mount is one stream of an Icecast server, with who may feed it and what it says of itself."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from model.base.errors import OutputError

MOST_TEXT_BYTES = 500
"""Of one text that a mount says of itself."""
MOST_TEXTS_BYTES = 2_000
"""Of all of them: a server resets the connection of a request with more than about 3,800 bytes."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS = ("authorization", "content-length", "content-type", "expect", "host", "transfer-encoding")


@dataclass(frozen=True, kw_only=True)
class IcecastMount:
    """Where a server is, and whose the mount is."""

    host: str
    port: int
    path: str
    """With its leading slash, quoted as in an address."""
    user: str
    password: str = field(repr=False)
    tls: bool = False
    ca_file: Path | None = None
    """Certificates of those who may have signed the server's; None: whom this machine trusts."""

    @property
    def server(self) -> str:
        """Host and port, as an address has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without user and password."""
        return f"{'icecasts' if self.tls else 'icecast'}://{self.server}{self.path}"

    @property
    def listen_url(self) -> str:
        """Where a player listens."""
        return f"{'https' if self.tls else 'http'}://{self.server}{self.path}"

    @property
    def authorization(self) -> str:
        """The value of the HTTP header that carries user and password."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Station:
    """What a mount says of itself to listeners and to directories."""

    name: str = "endlos"
    genre: str = "Various"
    description: str = "An endless, seamless stream"
    url: str = ""
    public: bool = False
    """Whether the server may list it in a directory."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """More headers of the request, by name."""

    def __post_init__(self) -> None:
        for name, text in {**self._told(), **self.headers}.items():
            if not text.isprintable():
                raise OutputError(f"the text of {name} is {text!r}; expected one line that can be printed")
            if len(text.encode()) > MOST_TEXT_BYTES:
                raise OutputError(
                    f"the text of {name} has {len(text.encode())} bytes; expected {MOST_TEXT_BYTES} at most"
                )
        for name in self.headers:
            if not _HEADER_NAME.fullmatch(name):
                raise OutputError(f"{name!r} is no name of a header; expected header=Name: value")
            if name.lower() in _OUR_HEADERS:
                raise OutputError(f"the header {name} is endlos's own to send; leave it out")
        if len(self.lines()) > MOST_TEXTS_BYTES:
            raise OutputError(
                f"what the mount says of itself has {len(self.lines())} bytes; "
                f"expected {MOST_TEXTS_BYTES} at most, headers included"
            )

    def lines(self) -> bytes:
        """Return the headers, a line each."""
        told = {name: text for name, text in self._told().items() if text}
        told |= {"Ice-Public": str(int(self.public)), **self.headers}
        return "".join(f"{name}: {text}\r\n" for name, text in told.items()).encode()

    def _told(self) -> dict[str, str]:
        return {
            "Ice-Name": self.name,
            "Ice-Genre": self.genre,
            "Ice-Description": self.description,
            "Ice-URL": self.url,
        }
