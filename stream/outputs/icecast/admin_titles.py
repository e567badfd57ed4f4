"""Titles of a mount are told by the server's admin interface, which inserts them for MP3 and AAC."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from html import unescape
from urllib.parse import quote, unquote, urlencode

from model.base.errors import OutputError
from stream.outputs.encoding.codecs import Codec
from stream.outputs.fed import explain
from stream.outputs.icecast.connection import open_connection, read_answer, read_rest
from stream.outputs.icecast.mount import IcecastMount
from stream.outputs.icecast.source import USER_AGENT
from stream.outputs.titles import icy_text, joined_title, shortened_title, title_parts

TITLE_TIMEOUT_S = 1.0
FIRST_TITLE_RETRY_S, LAST_TITLE_RETRY_S = 0.5, 5.0
"""At once only where a stream has just begun: a server first reads what it is made of."""
TITLED_CODECS: tuple[Codec, ...] = ("mp3", "aac")
"""Of what the server itself puts titles into, without harm. Opus and FLAC it leaves alone; a Vorbis mount of
icecast2 (2.4.4) is silent for good now and then after it was told one."""

# A server resets the connection of a request that has more than about 3,800 bytes.
_ARTIST_BYTES = 900
_TITLE_BYTES = 2100
_TAKEN = "successful"
"""icecast2 says so where a title was taken; where it was not, status and `return` are the same."""
_ICECAST = "<iceresponse>"


class AdminTitles:
    """Tells one mount its titles, each once; belongs to one thread.

    Icecast joins artist and title itself, and never forgets that there was an artist: a title without one has
    the dash alone. So it is told one text. Other servers that speak this protocol (Liquidsoap) need the two
    apart.
    """

    def __init__(self, mount: IcecastMount) -> None:
        self.fault = ""
        """Why the last title was not taken, empty where it was. Any thread may read it."""
        self._mount = mount
        self._told = ""
        self._told_artist = False
        # None: it is not known yet what server it is.
        self._apart: bool | None = None
        self._due_s = 0.0
        self._retry_s = FIRST_TITLE_RETRY_S

    def restart(self) -> None:
        """Take note that the server has forgotten everything, as with each new connection."""
        self._told, self._told_artist, self.fault, self._apart = "", False, "", None
        self._due_s, self._retry_s = 0.0, FIRST_TITLE_RETRY_S

    def tell(self, title: str) -> None:
        """Tell a title that the server does not know yet; what fails is tried later, and raises nothing.

        May block for `TITLE_TIMEOUT_S`, twice that over TLS, and for the first title once more.
        """
        if not title or title == self._told or time.monotonic() < self._due_s:
            return
        parts = title_parts(icy_text(title))
        artist = shortened_title(parts.artist, _ARTIST_BYTES)
        text = shortened_title(parts.title, _TITLE_BYTES)
        try:
            if not self._apart:
                self._apart = _ICECAST not in self._ask({"song": joined_title(artist, text)})
            if self._apart:
                self._ask(self._words(artist, text))
        except (OSError, OutputError) as error:
            # A missing title is no reason to stop the music.
            self.fault = f"the title was not taken ({explain(error)})"
            self._due_s = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, LAST_TITLE_RETRY_S)
        else:
            self._told, self.fault, self._retry_s = title, "", FIRST_TITLE_RETRY_S

    def _ask(self, told: Mapping[str, str]) -> str:
        """Tell a title in some words, and return the answer; raise what speaks against it.

        Of MP3 Icecast makes Latin-1 where it is told the charset, and entities of what has no place there;
        untold, it hands on what it gets.
        """
        mount = self._mount
        words = {"mount": unquote(mount.path), "mode": "updinfo", **told}
        with suppress(UnicodeEncodeError):
            "".join(told.values()).encode("latin-1")
            words["charset"] = "UTF-8"
        path = f"/admin/metadata?{urlencode(words, quote_via=quote)}"
        until_s = time.monotonic() + TITLE_TIMEOUT_S
        request = (
            f"GET {path} HTTP/1.0\r\nHost: {mount.server}\r\n"
            f"Authorization: {mount.authorization}\r\nUser-Agent: {USER_AGENT}\r\n\r\n"
        )
        with open_connection(mount, TITLE_TIMEOUT_S) as connection:
            connection.sendall(request.encode())
            answer = read_answer(connection, until_s) + read_rest(connection, until_s)
        found = answer.decode("utf-8", "replace")
        _check(found)
        return found

    def _words(self, artist: str, title: str) -> dict[str, str]:
        """Return what is told of a title whose artist goes apart: an empty one where there was one before."""
        if not artist and not self._told_artist:
            return {"song": title}
        self._told_artist = True
        return {"artist": artist, "title": title}


def _check(answer: str) -> None:
    """Raise what an answer says against a title: icecast2 refuses with status 200 and `return` 1."""
    head, _, body = answer.partition("\r\n\r\n")
    words = head.partition("\r\n")[0].split(maxsplit=1)
    if len(words) < 2 or not words[1].startswith("200"):
        raise OutputError(words[1] if len(words) > 1 else "no HTTP answer")
    message = re.search(r"<message>(.*?)</message>", body, re.DOTALL)
    # Other servers that speak this protocol say something of their own, or nothing.
    if message and _ICECAST in body and _TAKEN not in message[1]:
        raise OutputError(unescape(message[1]).strip())
