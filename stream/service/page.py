"""The page shows what plays, and serves the modules with which a browser follows and steers the stream.

Without a script it says what is heard and what follows, plays the stream and skips; the script takes the
place of all that. Nothing is loaded from elsewhere, and no script stands in the document itself.
"""

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from stream.outputs.titles import one_line
from stream.service.moment import Moment, full_title, song_title

HLS_TYPE = "application/vnd.apple.mpegurl"

_STATIC = Path(__file__).with_name("static")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SKIP = '<form method="post" action="next"><button class="strong">Next</button></form>'


@dataclass(frozen=True, kw_only=True)
class _File:
    data: bytes
    media_type: str
    etag: str


class Page:
    """The document and its files, read once; any thread.

    streams: what a player can be pointed at, by its path below the page, with its MIME type.
    """

    def __init__(self, streams: Mapping[str, str]) -> None:
        self._document = Template((_STATIC / "index.html").read_text(encoding="utf-8"))
        self._files = {path.name: _read(path) for path in _STATIC.iterdir() if path.suffix in _TYPES}
        self._streams = {path: kind for path, kind in streams.items() if kind != HLS_TYPE}
        self._hls = next((path for path, kind in streams.items() if kind == HLS_TYPE), None)

    def answer(self, moment: Moment, *, can_change: bool | Literal["token"]) -> Response:
        """Return the document, with what plays at this moment.

        can_change: whether who asks may steer the stream; `token`: if he has the token.
        """
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(self._document.substitute(self._texts(moment, can_change)), headers=headers)

    def file(self, request: Request) -> Response:
        """Return one of the files that the document loads; 304 where it is known, 404 on any other name."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("there is no such file\n", 404)
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers=headers, media_type=file.media_type)

    def _texts(self, moment: Moment, can_change: bool | Literal["token"]) -> dict[str, str]:
        """Return what stands in the document; every text of a tag is escaped."""
        playing = moment.playing
        score, following = playing.next_score, playing.next_song
        named = {html.escape(path): html.escape(kind) for path, kind in self._streams.items()}
        sources = "".join(f'<source src="{path}" type="{kind}">' for path, kind in named.items())
        return {
            "setup": self._setup(can_change),
            "title": html.escape(song_title(playing.song)) or "endlos",
            "artist": html.escape(one_line(playing.song.artist)),
            "next": html.escape(full_title(following)) if following else "not decided yet",
            "score": "" if score is None else f"follows with score {score:.2f}",
            "player": f'<audio id="audio" controls preload="none">{sources}</audio>' if sources else "",
            # Without a script there is no token.
            "skip": _SKIP if can_change is True else "",
            "links": "".join(f'<a href="{path}">{path}</a>' for path in named),
        }

    def _setup(self, can_change: bool | Literal["token"]) -> str:
        """Return what the script is told, as JSON that no text in it can end."""
        streams = [{"path": path, "type": kind} for path, kind in self._streams.items()]
        setup = {"streams": streams, "can_change": can_change, "hls": self._hls}
        return json.dumps(setup).replace("<", "\\u003c")


def _read(path: Path) -> _File:
    data = path.read_bytes()
    etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    return _File(data=data, media_type=_TYPES[path.suffix], etag=etag)
