"""This module answers what players and CDNs ask of a store over HTTP, and says how long they may keep it."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from stream.outputs.hls.playlist import TYPE_OF_PLAYLIST
from stream.outputs.hls.store import is_ours
from stream.outputs.hls.variant import MASTER

_TYPE_OF_SEGMENT = "audio/mp4"
_CHANGES = "public, max-age=1"
"""So that a CDN asks once a second, however many listen."""
_NEVER_CHANGES = "public, max-age=31536000, immutable"


def answer_hls(folder: Path, request: Request) -> Response:
    """Return a playlist, an init section or a segment; a name is looked for only if it is one of ours."""
    name = request.path_params.get("name", MASTER)
    if not is_ours(name):
        return _not_there()
    playlist = name.endswith(".m3u8")
    # A player on another site than the stream's is to be able to play it.
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": _CHANGES if playlist else _NEVER_CHANGES,
    }
    path = folder / name
    try:
        if playlist:
            # Read at once: the next one takes its place at any moment.
            return Response(path.read_bytes(), headers=headers, media_type=TYPE_OF_PLAYLIST)
        return FileResponse(path, headers=headers, media_type=_TYPE_OF_SEGMENT, stat_result=path.stat())
    except OSError:
        return _not_there()


def _not_there() -> Response:
    # Not kept: a segment that is asked for too early is there a moment later.
    return PlainTextResponse("there is no such file\n", 404, headers={"Cache-Control": "no-store"})
