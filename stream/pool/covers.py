"""The pool keeps the cover picture of each song that has one, as its tags had it."""

from dataclasses import dataclass

from stream.pool.database import reading_database
from stream.pool.pool import Pool

_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)
_WEBP = (b"RIFF", b"WEBP")


@dataclass(frozen=True, kw_only=True)
class Cover:
    """A picture, as it is stored."""

    data: bytes
    content_type: str


def covered_songs(pool: Pool) -> frozenset[int]:
    """Return the `song_id` of every song of a pool that has a cover; `PoolError` when that cannot be read."""
    with reading_database(pool.folder) as connection:
        rows = connection.execute("SELECT song_id FROM songs WHERE cover IS NOT NULL")
        return frozenset(int(row[0]) for row in rows)


def read_cover(pool: Pool, song_id: int) -> Cover | None:
    """Return the cover of a song; None where it has none that a browser shows. Any thread.

    `PoolError` when the database cannot be read.
    """
    with reading_database(pool.folder) as connection:
        row = connection.execute("SELECT cover FROM songs WHERE song_id = ?", (song_id,)).fetchone()
    data = row[0] if row else None
    if not isinstance(data, bytes):
        return None
    kind = image_type(data)
    return None if kind is None else Cover(data=data, content_type=kind)


def image_type(data: bytes) -> str | None:
    """Return the MIME type of a picture by its first bytes; None where it is none of those that are known.

    A tag may hold anything: what is no picture must not be served as if the page had it.
    """
    if data[:4] == _WEBP[0] and data[8:12] == _WEBP[1]:
        return "image/webp"
    return next((kind for start, kind in _KINDS if data.startswith(start)), None)
