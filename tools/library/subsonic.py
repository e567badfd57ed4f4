"""A Subsonic server (Navidrome, Gonic, ...) is asked over HTTP what it has, and for the files of songs."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from model.base.errors import EndlosError
from model.base.files import beside
from tools.songs.labels import Labels, named_labels

API_VERSION = "1.16.1"
SERVER_SILENT_S = 30.0
"""How long a server may say nothing."""
PAGE_ALBUMS = 500
"""Albums of one answer, the most that the interface allows."""
_MOST_ANSWER_BYTES = 1 << 26
_BLOCK_BYTES = 1 << 20
_SAID = ("title", "artist", "album", "genre", "year", "bpm", "comment")


@dataclass(frozen=True, kw_only=True)
class RemoteSong:
    """A song of a server."""

    song_id: str
    path: str
    """Where it says that the file is, in its music folder; empty where it does not say."""
    title: str
    artist: str
    album: str
    track: int
    suffix: str
    """Of the file, without a dot."""
    size_bytes: int | None
    labels: Labels


@dataclass(frozen=True, kw_only=True)
class RemotePlaylist:
    """A playlist of a server."""

    playlist_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class SubsonicServer:
    """A server, of which songs, albums and playlists are read and nothing is changed.

    All methods raise `EndlosError`, one sentence that never holds the password.
    """

    url: str
    """Address, without the part `/rest`."""
    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        place = urlsplit(self.url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise EndlosError(f"{self.url} is no address of a server; expected https://music.example")
        if place.password is not None:
            raise EndlosError("an address with a password would be seen by others; give --password-file")

    def playlists(self) -> list[RemotePlaylist]:
        """Return all playlists that the user may see."""
        found = _rows(self._asked("getPlaylists"), "playlists", "playlist")
        return [RemotePlaylist(playlist_id=str(row["id"]), name=str(row.get("name", ""))) for row in found]

    def songs_of(self, playlist: RemotePlaylist) -> list[RemoteSong]:
        """Return the songs of a playlist, in their order."""
        answer = self._asked("getPlaylist", id=playlist.playlist_id)
        return [_song(row) for row in _rows(answer, "playlist", "entry")]

    def all_songs(self) -> Iterator[RemoteSong]:
        """Yield every song, album by album."""
        offset = 0
        while True:
            page = {"type": "alphabeticalByArtist", "size": str(PAGE_ALBUMS), "offset": str(offset)}
            albums = _rows(self._asked("getAlbumList2", **page), "albumList2", "album")
            for album in albums:
                answer = self._asked("getAlbum", id=str(album["id"]))
                yield from (_song(row) for row in _rows(answer, "album", "song"))
            offset += len(albums)
            if len(albums) < PAGE_ALBUMS:
                return

    def download(self, song: RemoteSong, target: Path) -> int:
        """Write the file of a song as the server has it, beside and renamed; return its size in bytes."""
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with closing(self._open("download", id=song.song_id)) as answer, beside(target) as part:
            if answer.headers.get_content_type() in ("application/json", "text/xml", "application/xml"):
                self._checked(answer.read(_MOST_ANSWER_BYTES))
                raise EndlosError(f"{self.url} sends words in place of the file")
            with part.open("wb") as file:
                try:
                    while block := answer.read(_BLOCK_BYTES):
                        file.write(block)
                        written += len(block)
                except (HTTPException, TimeoutError, ConnectionError) as error:
                    raise self._unreachable(error) from error
            if song.size_bytes is not None and written != song.size_bytes:
                raise EndlosError(
                    f"{self.url} sent {written} bytes of a file that it says has {song.size_bytes}"
                )
        return written

    def _asked(self, view: str, **words: str) -> dict[str, Any]:
        with closing(self._open(view, **words)) as answer:
            try:
                data = answer.read(_MOST_ANSWER_BYTES)
            except (OSError, HTTPException) as error:
                raise self._unreachable(error) from error
        return self._checked(data)

    def _checked(self, data: bytes) -> dict[str, Any]:
        """Return an answer without its envelope; `EndlosError` when the server refuses."""
        try:
            told = json.loads(data)["subsonic-response"]
            failed = told["status"] != "ok"
        except (ValueError, TypeError, KeyError):
            raise EndlosError(
                f"what answers at {self.url} does not speak Subsonic; give the address of the server, as a "
                "player on a phone is given it"
            ) from None
        if failed:
            reason = told.get("error", {}).get("message") or "it does not say why"
            raise EndlosError(f"{self.url} refuses: {reason}")
        return dict(told)

    def _open(self, view: str, **words: str) -> HTTPResponse:
        salt = secrets.token_hex(8)
        # A token in place of the password (Subsonic API, "Authentication", since 1.13.0).
        token = hashlib.md5(f"{self.password}{salt}".encode(), usedforsecurity=False).hexdigest()
        query = {"u": self.user, "t": token, "s": salt, "v": API_VERSION, "c": "endlos", "f": "json", **words}
        request = Request(
            f"{self.url.rstrip('/')}/rest/{view}.view?{urlencode(query)}", headers={"User-Agent": "endlos"}
        )
        try:
            answer: HTTPResponse = urlopen(request, timeout=SERVER_SILENT_S)
        except HTTPError as error:
            raise EndlosError(f"{self.url} answers {error.code} ({error.reason})") from None
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(error) from None
        return answer

    def _unreachable(self, error: Exception) -> EndlosError:
        reason = getattr(error, "reason", None) or error
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return EndlosError(f"{self.url} cannot be reached ({why}); is it on, and its address right?")


def _rows(answer: dict[str, Any], group: str, name: str) -> list[dict[str, Any]]:
    """Return the records of an answer; what is not there is none, and one alone may stand by itself."""
    found = (answer.get(group) or {}).get(name) or []
    return [row for row in (found if isinstance(found, list) else [found]) if "id" in row]


def _song(row: dict[str, Any]) -> RemoteSong:
    said = [(name, [row[name]]) for name in _SAID if row.get(name)]
    said += [("genre", [genre.get("name", "")]) for genre in row.get("genres") or ()]
    said += [("mood", list(row.get("moods") or [])), ("albumartist", [row.get("displayAlbumArtist") or ""])]
    size = row.get("size")
    return RemoteSong(
        song_id=str(row["id"]),
        path=str(row.get("path") or ""),
        title=str(row.get("title") or "untitled"),
        artist=str(row.get("displayAlbumArtist") or row.get("artist") or "unknown"),
        album=str(row.get("album") or "unknown"),
        track=int(row.get("track") or 0),
        suffix=str(row.get("suffix") or "audio"),
        size_bytes=size if isinstance(size, int) else None,
        labels=named_labels(said),
    )
