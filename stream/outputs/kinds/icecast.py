"""The Icecast output is a source client that reconnects for ever and never tells its password.

PyAV's own `icecast://` was tried against icecast2: it drops the `password` option, so the password has to
stand in the URL, which its exceptions then print; passwords with `/` or `?` in them are refused; and a
server that stalls blocks it for good. The protocol itself is one PUT request.
"""

import base64
import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import quote, unquote, urlencode, urlsplit

from model.base.errors import OutputError
from stream.outputs.encoded import EncodedOutput, explain
from stream.outputs.encoding.codecs import CODECS, Codec, content_type
from stream.outputs.place import OutputKind, OutputUri, Place, Tap
from stream.outputs.secrets import PASSWORD_VARIABLE as PASSWORD_VARIABLE
from stream.outputs.secrets import first_line
from stream.outputs.titles import icy_text, shortened_title, title_parts

MAX_KBPS = 512
_DEFAULT_PORT = 8000
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 5.0
"""For a whole answer: one that drips is none."""
STALL_TIMEOUT_S = 5.0
"""A server that takes nothing for this long is given up, and called again."""
TITLE_TIMEOUT_S = 1.0
TITLE_RETRY_S = 5.0

_DEFAULT_KBPS: dict[Codec, int] = {"mp3": 128, "opus": 96, "vorbis": 128, "aac": 128, "flac": 0}
_EXTENSIONS: dict[str, Codec] = {
    "mp3": "mp3",
    "opus": "opus",
    "ogg": "vorbis",
    "oga": "vorbis",
    "aac": "aac",
    "flac": "flac",
}
# What a stalled server has not taken waits here, so it is small: about 4 s at 128 kbit/s.
_SEND_BUFFER_BYTES = 64 * 1024
_ANSWER_BYTES = 8192
# A server resets the connection of a request that has more than about 3,800 bytes.
_ARTIST_BYTES = 900
_TITLE_BYTES = 2100
_USER_AGENT = "endlos"
_FORM = "icecast://[USER@]HOST[:PORT]/MOUNT[?format=opus&bitrate=96]"


@dataclass(frozen=True, kw_only=True)
class IcecastSettings(Place):
    """Where to send the stream, and as what."""

    host: str
    port: int
    mount: str
    """With its leading slash."""
    user: str
    password: str = field(repr=False)
    codec: Codec
    bitrate_kbps: int

    def __post_init__(self) -> None:
        if not 0 <= self.bitrate_kbps <= MAX_KBPS:
            raise OutputError(f"the bit rate is {self.bitrate_kbps}; expected kbit/s, 16 to {MAX_KBPS}")

    def open(self, tap: Tap) -> Sequence["IcecastOutput"]:
        """Return the output that feeds the mount."""
        return [IcecastOutput(self, tap.engine_rate_hz, card_paced=tap.card_paced)]

    def takes(self) -> Sequence[str]:
        """Return the mount."""
        return [self.url]

    @property
    def url(self) -> str:
        """The address without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"icecast://{host}:{self.port}{self.mount}"

    @property
    def authorization(self) -> str:
        """The value of the HTTP header that carries user and password."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


def icecast_password(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the password from the first line of `file`, else from the environment, else None."""
    return (
        environment.get(PASSWORD_VARIABLE) or None if file is None else first_line(file, "Icecast password")
    )


def icecast_from_uri(uri: OutputUri) -> IcecastSettings:
    """Read `icecast://[user@]host[:port]/mount[?format=F&bitrate=KBPS]`; refuse a password in it.

    The format is `format`, else the mount's extension, else mp3; the password stands in the file that
    `password-file` names, or in the environment. `OutputError` on anything else.
    """
    safe = uri.safe
    wanted = f"expected {_FORM}, such as icecast://source@localhost:8000/endlos.mp3"
    try:
        parts = urlsplit(uri.text)
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        raise OutputError(f"{safe} is not an Icecast address; {wanted}") from None
    if parts.password is not None:
        raise OutputError(
            f"{safe} was given with a password in it, where other users of this machine can read it; "
            f"set {PASSWORD_VARIABLE} or name a file that holds it instead, with password-file=FILE behind "
            "a question mark or with --icecast-password-file"
        )
    if parts.scheme != "icecast" or not parts.hostname or len(parts.path) < 2 or parts.fragment:
        raise OutputError(f"{safe} is not an Icecast address; {wanted}")
    options = uri.options("format", "bitrate", "password-file")
    ending = parts.path.rpartition(".")[2].lower() if "." in parts.path else ""
    codec = options.text("format") or _EXTENSIONS.get(ending, "mp3")
    if codec not in CODECS:
        raise OutputError(f"{safe} asks for the format {codec}; expected one of {', '.join(CODECS)}")
    kbps = options.text("bitrate") or str(_DEFAULT_KBPS[codec])
    if not kbps.isascii() or not kbps.isdigit() or len(kbps) > 4 or int(kbps) > MAX_KBPS:
        raise OutputError(f"{safe} asks for the bit rate {kbps}; expected kbit/s, 16 to {MAX_KBPS}")
    named = options.text("password-file")
    password = None if named else uri.password
    if password is None:
        password = icecast_password(Path(named).expanduser() if named else uri.password_file)
    if password is None:
        raise OutputError(
            f"{safe} needs the source password; set {PASSWORD_VARIABLE} or name a file that holds it, with "
            "password-file=FILE behind a question mark or with --icecast-password-file"
        )
    return IcecastSettings(
        host=parts.hostname,
        port=port,
        mount=quote(unquote(parts.path)),
        user=unquote(parts.username or "source"),
        password=password,
        codec=codec,
        bitrate_kbps=int(kbps),
    )


class IcecastOutput(EncodedOutput):
    """Feeds one mount of an Icecast server, with stream titles for MP3 and AAC."""

    kind = "icecast"

    def __init__(
        self,
        target: IcecastSettings,
        engine_rate_hz: int,
        *,
        card_paced: bool = False,
    ) -> None:
        super().__init__(target.url, engine_rate_hz, target.codec, target.bitrate_kbps, card_paced=card_paced)
        self._target = target
        self._sent_title: str | None = None
        self._sent_artist = False
        self._title_due_s = 0.0
        self._title_fault = ""
        self._socket: socket.socket | None = None

    def _detail(self) -> str:
        return self._title_fault or f"http://{self._target.url.removeprefix('icecast://')}"

    def _connect(self) -> None:
        target = self._target
        connection = socket.create_connection((target.host, target.port), timeout=CONNECT_TIMEOUT_S)
        self._socket = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        until_s = time.monotonic() + ANSWER_TIMEOUT_S
        connection.sendall(self._request())
        self._check(_first_line_of(_answer(connection, until_s)))
        connection.settimeout(STALL_TIMEOUT_S)
        # The server forgot the title together with the old connection.
        self._sent_title, self._title_due_s, self._title_fault = None, 0.0, ""
        self._sent_artist = False

    def _request(self) -> bytes:
        target = self._target
        lines = [
            f"PUT {target.mount} HTTP/1.1",
            f"Host: {target.host}:{target.port}",
            f"Authorization: {target.authorization}",
            f"User-Agent: {_USER_AGENT}",
            f"Content-Type: {content_type(target.codec)}",
            "Expect: 100-continue",
            "Ice-Name: endlos",
            "Ice-Description: An endless, seamless stream",
            "Ice-Genre: Various",
            "Ice-Public: 0",
        ]
        if target.bitrate_kbps:
            lines.append(f"Ice-Bitrate: {target.bitrate_kbps}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _check(self, answer: str) -> None:
        words = answer.split(maxsplit=2)
        if len(words) < 2 or not words[0].startswith("HTTP/"):
            raise OutputError("the server does not speak HTTP; is the port right?")
        if words[1] in ("100", "200"):
            return
        if words[1] == "401":
            raise OutputError(
                f"the server refuses the password of user {self._target.user} (401); "
                "compare it with <source-password> in icecast.xml"
            )
        reason = words[2] if len(words) > 2 else ""
        raise OutputError(f"the server refuses the stream ({words[1]} {reason})")

    def _deliver(self, header: bytes, data: bytes, frames: int) -> None:
        cast(socket.socket, self._socket).sendall(header + data)

    def _attend(self) -> None:
        connection = cast(socket.socket, self._socket)
        # A source is told nothing while all is well, so that what can be read is mostly the end.
        if select.select([connection], [], [], 0)[0] and not connection.recv(_ANSWER_BYTES):
            raise ConnectionResetError(None, "the server closed the connection")
        if self.codec in ("mp3", "aac") and time.monotonic() >= self._title_due_s:
            self._send_title()

    def _send_title(self) -> None:
        title = self.title
        if not title or title == self._sent_title:
            return
        target = self._target
        query = urlencode(
            {"mount": unquote(target.mount), "mode": "updinfo", **self._title_words(title)},
            quote_via=quote,
        )
        try:
            answer = self._ask_admin(f"/admin/metadata?{query}")
            words = answer.split(maxsplit=1)
            if words[1:2] == [] or not words[1].startswith("200"):
                raise OutputError(words[1] if len(words) > 1 else "no HTTP answer")
        except (OSError, OutputError) as error:
            # A missing title is no reason to stop the music.
            self._title_fault = f"the title was not taken ({explain(error)})"
            self._title_due_s = time.monotonic() + TITLE_RETRY_S
        else:
            self._sent_title, self._title_fault = title, ""

    def _ask_admin(self, path: str) -> str:
        """Return the first line of the server's answer, which is given `TITLE_TIMEOUT_S` in all."""
        target = self._target
        until_s = time.monotonic() + TITLE_TIMEOUT_S
        request = (
            f"GET {path} HTTP/1.0\r\nHost: {target.host}:{target.port}\r\n"
            f"Authorization: {target.authorization}\r\nUser-Agent: {_USER_AGENT}\r\n\r\n"
        )
        with socket.create_connection((target.host, target.port), timeout=TITLE_TIMEOUT_S) as connection:
            connection.sendall(request.encode())
            return _first_line_of(_answer(connection, until_s))

    def _title_words(self, text: str) -> dict[str, str]:
        """Return what is told of a title.

        Artist and title apart, which other servers that speak this protocol need. Icecast forgets an artist
        only when it is told another, an empty one too. Of MP3 it makes Latin-1 where it is told the charset,
        and entities of what has no place there; untold, it hands on what it gets.
        """
        parts = title_parts(icy_text(text))
        artist = shortened_title(parts.artist, _ARTIST_BYTES)
        title = shortened_title(parts.title, _TITLE_BYTES)
        words = {"artist": artist, "title": title} if artist or self._sent_artist else {"song": title}
        self._sent_artist = self._sent_artist or bool(artist)
        try:
            f"{artist}{title}".encode("latin-1")
        except UnicodeEncodeError:
            return words
        return {**words, "charset": "UTF-8"}

    def _disconnect(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _interrupt(self) -> None:
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _answer(connection: socket.socket, until_s: float) -> bytes:
    """Return the head of an answer; `TimeoutError` where it is not there at a time of the monotonic clock."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        more = connection.recv(_ANSWER_BYTES)
        answer += more
        if not more or len(answer) > _ANSWER_BYTES:
            break
    return answer


def _first_line_of(answer: bytes) -> str:
    return answer.partition(b"\r\n")[0].decode("latin-1")


ICECAST_KIND = OutputKind(
    scheme="icecast",
    form=_FORM,
    summary="a mount of an Icecast server",
    from_uri=icecast_from_uri,
)
