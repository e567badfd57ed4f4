"""A live stream answers a request for what stands behind so many bytes with what plays now.

A browser whose connection broke asks so for the rest. Told the whole once more (200), Chromium 156 throws as
many bytes away as it had before: after an hour of music an hour of silence, without an event. Told that these
are the rest (206), it plays on.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request

from stream.outputs.encoding.codecs import Codec

ENDLESS_BYTES = 1 << 53
"""What a stream is said to have at most: more than anybody hears, and whole in a JavaScript number."""

_FROM = re.compile(r"bytes=(\d{1,18})-(\d{0,18})", re.ASCII)
# Where one Ogg stream of these follows the other, Chromium's player ends; in MP3, AAC and Opus it goes on.
_ENDS: frozenset[Codec] = frozenset({"flac", "vorbis"})


@dataclass(frozen=True, kw_only=True)
class StreamPart:
    """How a request for a part of a stream is answered."""

    status: int = 200
    content_range: str | None = None


def asked_part(request: Request, codec: Codec) -> StreamPart:
    """Return what the answer to a listener says of the part that he asked for.

    From the beginning is the whole (200): a player that is told of parts there takes the stream for a file
    that it can seek in.
    """
    asked = _FROM.fullmatch(request.headers.get("range", "").strip())
    # What only holds for a certain version of the stream does not hold: it has none.
    if asked is None or not int(asked[1]) or request.method == "HEAD" or "if-range" in request.headers:
        return StreamPart()
    begin = int(asked[1])
    if codec in _ENDS or begin >= ENDLESS_BYTES:
        return StreamPart(status=416)
    return StreamPart(status=206, content_range=f"bytes {begin}-{ENDLESS_BYTES - 1}/*")
