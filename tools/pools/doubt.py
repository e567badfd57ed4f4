"""A check marks what it doubts in the pool, so that the next build reads or analyses it anew."""

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from model.base.errors import PoolError
from stream.pool.database import DATABASE_ERRORS, connect


def doubt(folder: Path, *, analyses: Iterable[int], files: Iterable[int]) -> None:
    """Mark songs of the pool in `folder`, by their numbers in it; nothing where nobody may write.

    analyses: what is kept of their audio is wrong. files: they may be no longer what was read, whatever
    their size and times are.
    """
    with suppress(PoolError, *DATABASE_ERRORS), closing(connect(folder, write=True)) as database, database:
        # All files with the same audio share its analysis.
        database.executemany(
            """UPDATE songs SET doubted = 1
               WHERE audio_hash = (SELECT audio_hash FROM songs WHERE song_id = ?)""",
            [(song,) for song in analyses],
        )
        database.executemany("UPDATE songs SET ctime_ns = -1 WHERE song_id = ?", [(song,) for song in files])
