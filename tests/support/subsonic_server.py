"""This helper is a small real server that speaks the Subsonic API over HTTP, as far as songs are read."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "ada", "sésame"


@dataclass(kw_only=True, eq=False)
class SubsonicFake:
    """What the server has, and what it was asked; a context manager."""

    music: Path
    songs: Sequence[Mapping[str, Any]]
    """Records as the API has them; each has its `file` below `music` beside."""
    playlists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Ids of the songs of each playlist."""
    asked: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Ids of songs whose files break off in the middle."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "SubsonicFake":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, view: str, words: dict[str, str]) -> dict[str, Any] | bytes:
        self.asked.append(view)
        expected = hashlib.md5(f"{PASSWORD}{words['s']}".encode(), usedforsecurity=False).hexdigest()
        if (words["u"], words["t"], words["f"], words["c"]) != (USER, expected, "json", "endlos"):
            return _failed(40, "Wrong username or password")
        if view == "getPlaylists":
            rows = [{"id": f"p-{name}", "name": name} for name in self.playlists]
            return _ok(playlists={"playlist": rows})
        if view == "getPlaylist":
            by_id = {song["id"]: song for song in self.songs}
            ids = self.playlists[words["id"].removeprefix("p-")]
            return _ok(playlist={"id": words["id"], "entry": [_row(by_id[each]) for each in ids]})
        if view == "getAlbumList2":
            albums = list(dict.fromkeys(str(song["album"]) for song in self.songs))
            size, offset = int(words["size"]), int(words["offset"])
            return _ok(albumList2={"album": [{"id": name} for name in albums[offset : offset + size]]})
        if view == "getAlbum":
            rows = [_row(song) for song in self.songs if song["album"] == words["id"]]
            return _ok(album={"id": words["id"], "song": rows})
        if view == "download":
            (song,) = [song for song in self.songs if song["id"] == words["id"]]
            return (self.music / song["file"]).read_bytes()
        return _failed(0, "not known")


def _row(song: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in song.items() if name != "file"}


def _ok(**told: Any) -> dict[str, Any]:
    return {"subsonic-response": {"status": "ok", "version": "1.16.1", **told}}


def _failed(code: int, message: str) -> dict[str, Any]:
    return {"subsonic-response": {"status": "failed", "error": {"code": code, "message": message}}}


def _handler(fake: SubsonicFake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            words = {name: values[0] for name, values in parse_qs(place.query).items()}
            view = place.path.removeprefix("/rest/").removesuffix(".view")
            found = fake.answer(view, words)
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(200)
            kind = "audio/flac" if isinstance(found, bytes) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            broken = isinstance(found, bytes) and words["id"] in fake.broken
            self.wfile.write(data[: len(data) // 2] if broken else data)

        def log_message(self, *words: object) -> None:
            pass

    return Handler
