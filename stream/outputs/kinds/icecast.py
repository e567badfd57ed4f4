"""The Icecast output is a source client that reconnects for ever and never tells its password."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import quote, unquote, urlsplit

from model.base.errors import OutputError
from stream.outputs.encoded import EncodedOutput
from stream.outputs.encoding.bitrates import require_bitrate
from stream.outputs.encoding.codecs import CODECS, Codec
from stream.outputs.icecast.admin_titles import TITLED_CODECS, AdminTitles
from stream.outputs.icecast.connection import has_ended, shut_down
from stream.outputs.icecast.mount import IcecastMount, Station
from stream.outputs.icecast.source import open_mount
from stream.outputs.place import OutputKind, OutputUri, Place, Tap, UriOptions
from stream.outputs.secrets import PASSWORD_VARIABLE, first_line

_PORT, _TLS_PORT = 8000, 443
_DEFAULT_KBPS: dict[Codec, int] = {"mp3": 128, "opus": 96, "vorbis": 128, "aac": 128, "flac": 0}
_EXTENSIONS: dict[str, Codec] = {
    "mp3": "mp3",
    "opus": "opus",
    "ogg": "vorbis",
    "oga": "vorbis",
    "aac": "aac",
    "flac": "flac",
}
_FORM = "icecast://[USER@]HOST[:PORT]/MOUNT[?format=opus&bitrate=96]"
_TLS_FORM = "icecasts://[USER@]HOST[:PORT]/MOUNT[?ca-file=FILE]"
CHAINED_CODECS: tuple[Codec, ...] = ("vorbis",)
"""Whose titles stand in the stream unasked, each at the head of a stream of its own."""
OPTIONS = (
    *("format", "bitrate", "password-file", "ca-file", "titles"),
    *("name", "genre", "description", "url", "public", "header"),
)
"""Of an address; docs/icecast.md says what they mean."""


@dataclass(frozen=True, kw_only=True)
class IcecastSettings(Place):
    """Where to send the stream, and as what; `bitrate_kbps` is 0 of FLAC, which takes what it needs."""

    mount: IcecastMount
    station: Station = field(default_factory=Station)
    codec: Codec
    bitrate_kbps: int
    titles_in_band: bool = False
    """Of Opus and FLAC: whether each title begins a chained stream, which some players do not survive.

    Of Vorbis it always does: its players know chained streams, which servers have made of it from the start.
    """

    takes_password = True

    def __post_init__(self) -> None:
        if self.bitrate_kbps or self.codec != "flac":
            require_bitrate(self.codec, self.bitrate_kbps, self.codec)
        if self.titles_in_band and self.codec in TITLED_CODECS:
            raise OutputError(
                f"titles=in-band is asked for with {self.codec}, into which the server itself puts titles; "
                "leave it out"
            )

    def open(self, tap: Tap) -> Sequence["IcecastOutput"]:
        """Return the output that feeds the mount."""
        return [IcecastOutput(self, tap.engine_rate_hz, card_paced=tap.card_paced)]

    def takes(self) -> Sequence[str]:
        """Return the mount."""
        return [self.mount.url]

    def require(self) -> None:
        """Refuse a file that holds no certificates."""
        if self.mount.tls:
            from stream.outputs.icecast.tls import tls_context

            tls_context(self.mount.ca_file)


def icecast_password(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the password from the first line of `file`, else from the environment, else None."""
    return (
        environment.get(PASSWORD_VARIABLE) or None if file is None else first_line(file, "Icecast password")
    )


def icecast_from_uri(uri: OutputUri) -> IcecastSettings:
    """Read `icecast://[user@]host[:port]/mount[?options]` (`icecasts`: TLS); refuse a password in it.

    The format is `format`, else the mount's extension, else mp3; the password stands in the file that
    `password-file` names, or in the environment. `OutputError` on anything else.
    """
    safe = uri.safe
    wanted = f"expected {_FORM}, such as icecast://source@localhost:8000/endlos.mp3"
    try:
        parts = urlsplit(uri.text)
        port = parts.port or (_TLS_PORT if parts.scheme == "icecasts" else _PORT)
    except ValueError:
        raise OutputError(f"{safe} is not an Icecast address; {wanted}") from None
    if parts.password is not None:
        raise OutputError(
            f"{safe} was given with a password in it, where other users of this machine can read it; "
            f"set {PASSWORD_VARIABLE} or name a file that holds it instead, with password-file=FILE behind "
            "a question mark or with --icecast-password-file"
        )
    tls = parts.scheme == "icecasts"
    schemes = ("icecast", "icecasts")
    if parts.scheme not in schemes or not parts.hostname or len(parts.path) < 2 or parts.fragment:
        raise OutputError(f"{safe} is not an Icecast address; {wanted}")
    options = uri.options(*OPTIONS)
    ca_file = options.text("ca-file")
    if ca_file is not None and not tls:
        raise OutputError(f"{safe} names certificates without TLS; expected {_TLS_FORM}")
    codec = _codec(options, parts.path, safe)
    mount = IcecastMount(
        host=parts.hostname,
        port=port,
        path=quote(unquote(parts.path)),
        user=unquote(parts.username or "source"),
        password=_password(uri, options),
        tls=tls,
        ca_file=None if ca_file is None else Path(ca_file).expanduser(),
    )
    titles = options.text("titles")
    if titles not in (None, "in-band"):
        raise OutputError(f"{safe} says titles={titles}; expected titles=in-band, or nothing")
    kbps, public = _kbps(options, codec, safe), options.flag("public")
    try:
        return IcecastSettings(
            mount=mount,
            station=_station(options, public=public),
            codec=codec,
            bitrate_kbps=kbps,
            titles_in_band=titles is not None,
        )
    except OutputError as error:
        raise OutputError(f"{safe}: {error}") from None


def _codec(options: UriOptions, path: str, safe: str) -> Codec:
    ending = path.rpartition(".")[2].lower() if "." in path else ""
    codec = options.text("format") or _EXTENSIONS.get(ending, "mp3")
    if codec not in CODECS:
        raise OutputError(f"{safe} asks for the format {codec}; expected one of {', '.join(CODECS)}")
    return codec


def _kbps(options: UriOptions, codec: Codec, safe: str) -> int:
    kbps = options.text("bitrate")
    if kbps is None:
        return _DEFAULT_KBPS[codec]
    if not kbps.isascii() or not kbps.isdigit() or len(kbps) > 4:
        raise OutputError(f"{safe} asks for the bit rate {kbps}; expected a whole number of kbit/s")
    require_bitrate(codec, int(kbps), safe)
    return int(kbps)


def _password(uri: OutputUri, options: UriOptions) -> str:
    named = options.text("password-file")
    password = None if named else uri.password
    if password is None:
        password = icecast_password(Path(named).expanduser() if named else uri.password_file)
    if password is None:
        raise OutputError(
            f"{uri.safe} needs the source password; set {PASSWORD_VARIABLE} or name a file that holds it, "
            "with password-file=FILE behind a question mark or with --icecast-password-file"
        )
    return password


def _station(options: UriOptions, *, public: bool) -> Station:
    given = {name: options.text(name) for name in ("name", "genre", "description", "url")}
    headers = {}
    for header in options.all("header"):
        name, colon, text = header.partition(":")
        if not colon:
            raise OutputError(f"header={header} has no colon; expected header=Name: value")
        headers[name.strip()] = text.strip()
    return Station(
        **{name: text for name, text in given.items() if text is not None},
        public=public,
        headers=headers,
    )


class IcecastOutput(EncodedOutput):
    """Feeds one mount of an Icecast server, and has titles told there, for every codec that can have them."""

    kind = "icecast"

    def __init__(
        self,
        settings: IcecastSettings,
        engine_rate_hz: int,
        *,
        card_paced: bool = False,
    ) -> None:
        mount = settings.mount
        super().__init__(
            mount.url, engine_rate_hz, settings.codec, settings.bitrate_kbps, card_paced=card_paced
        )
        self.titles_in_band = settings.titles_in_band or settings.codec in CHAINED_CODECS
        self._settings = settings
        self._titles = AdminTitles(mount) if settings.codec in TITLED_CODECS else None
        self._socket: socket.socket | None = None

    def _detail(self) -> str:
        fault = "" if self._titles is None else self._titles.fault
        return fault or self._settings.mount.listen_url

    def _connect(self) -> None:
        settings = self._settings
        self._socket = open_mount(settings.mount, settings.station, self.codec, settings.bitrate_kbps)
        if self._titles is not None:
            self._titles.restart()

    def _announce(self, title: str) -> None:
        if self._titles is not None:
            self._titles.tell(title)

    def _deliver(self, header: bytes, data: bytes, frames: int) -> None:
        cast(socket.socket, self._socket).sendall(header + data)

    def _attend(self) -> None:
        # A source is told nothing while all is well.
        if has_ended(cast(socket.socket, self._socket)):
            raise ConnectionResetError(None, "the server closed the connection")
        if not self._header_is_due:
            self._announce(self.title)

    def _disconnect(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _interrupt(self) -> None:
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                shut_down(connection)


ICECAST_KIND = OutputKind(
    scheme="icecast",
    form=_FORM,
    summary="a mount of an Icecast server",
    from_uri=icecast_from_uri,
)
ICECASTS_KIND = OutputKind(
    scheme="icecasts",
    form=_TLS_FORM,
    summary="the same over TLS; the certificate has to be trusted, by this machine or by that file",
    from_uri=icecast_from_uri,
)
