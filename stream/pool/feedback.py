"""The feedback keeps what listeners thought of joins and of songs in the pool's `state.db`.

It is keyed by audio and position, so that it outlives rebuilds and cutters. `labelled_joins` is what
fine-tuning reads; `stream.choosing.weighing.liking` is what the planner asks, of songs
`stream.choosing.journey.steering`.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from model.base.errors import PoolError
from stream.pool.database import DATABASE_ERRORS

STATE_FILE = "state.db"
MOST_JOINS = 100_000
"""The latest of so many are read."""
REACH_S = 0.5
"""A join of other chunks (another cutter) is the same one when both its sides lie this near."""

_JOINS = """
CREATE TABLE IF NOT EXISTS feedback (
    from_hash        TEXT NOT NULL,
    from_end_sample  INTEGER NOT NULL,
    to_hash          TEXT NOT NULL,
    to_start_sample  INTEGER NOT NULL,
    label            INTEGER NOT NULL,  -- 1 liked, 0 disliked
    created_s        REAL NOT NULL,
    PRIMARY KEY (from_hash, from_end_sample, to_hash, to_start_sample)
) WITHOUT ROWID;
"""
_SONGS = """
CREATE TABLE IF NOT EXISTS song_opinions (
    audio_hash TEXT PRIMARY KEY,
    opinion    TEXT NOT NULL,           -- muted or favoured
    created_s  REAL NOT NULL
) WITHOUT ROWID;
"""

SongOpinion = Literal["muted", "favoured"]
"""What a listener thinks of a song: it is not played, or played more readily."""
MOST_SONG_OPINIONS = 100_000
"""The latest of so many are read."""


@dataclass(frozen=True, kw_only=True)
class HeardJoin:
    """A join that can be judged; samples are at each song's own rate."""

    from_hash: str
    from_end_sample: int
    to_hash: str
    to_start_sample: int


@dataclass(frozen=True, kw_only=True)
class LabelledJoin(HeardJoin):
    """A join that a listener judged."""

    label: int
    """1 liked, 0 disliked."""


def labelled_joins(folder: Path) -> list[LabelledJoin]:
    """Return the joins that were judged in the pool in `folder`, oldest first; none where nobody did.

    Raises `PoolError` when `state.db` is damaged.
    """
    rows = _latest(
        folder, "feedback", "from_hash, from_end_sample, to_hash, to_start_sample, label", MOST_JOINS
    )
    if any([type(value) for value in row] != [str, int, str, int, int] for row in rows):
        raise PoolError(_unreadable(folder / STATE_FILE, "it holds what is no join"))
    return [
        LabelledJoin(
            from_hash=row[0], from_end_sample=row[1], to_hash=row[2], to_start_sample=row[3], label=row[4]
        )
        for row in reversed(rows)
    ]


def song_opinions(folder: Path) -> Mapping[str, SongOpinion]:
    """Return what listeners think of songs of the pool in `folder`, by audio hash, oldest first.

    Raises `PoolError` when `state.db` is damaged.
    """
    rows = _latest(folder, "song_opinions", "audio_hash, opinion", MOST_SONG_OPINIONS)
    if any(type(song) is not str or opinion not in get_args(SongOpinion) for song, opinion in rows):
        raise PoolError(_unreadable(folder / STATE_FILE, "it holds what is no opinion"))
    return dict(reversed(rows))


def feedback_problems(folder: Path) -> list[str]:
    """Return what is wrong with the `state.db` of the pool in `folder`, one sentence each."""
    path = folder / STATE_FILE
    if not path.exists():
        return []
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            answers = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(1)")]
        labelled_joins(folder)
        song_opinions(folder)
    except DATABASE_ERRORS as error:
        answers = [str(error)]
    except PoolError as error:
        return [str(error)]
    return [_unreadable(path, answer) for answer in answers if answer != "ok"]


def _unreadable(path: Path, reason: object) -> str:
    return f"{path} cannot be read ({reason}); restore it, or delete it to forget it all"


def _latest(folder: Path, table: str, columns: str, most: int) -> list[tuple[Any, ...]]:
    """Return the latest rows of a table, newest first; none where nobody has written any."""
    path = folder / STATE_FILE
    if not path.is_file():
        return []
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            if connection.execute(known, (table,)).fetchone() is None:
                return []
            select = f"SELECT {columns} FROM {table} ORDER BY created_s DESC LIMIT ?"
            return connection.execute(select, (most,)).fetchall()
    except DATABASE_ERRORS as error:
        raise PoolError(_unreadable(path, error)) from error


def remember(folder: Path, join: LabelledJoin) -> None:
    """Keep what was thought of a join, in place of an older opinion; `PoolError` when it cannot."""
    with _writing(folder) as connection:
        connection.execute(
            "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?, ?)",
            (*_key(join), join.label, time.time()),
        )


def forget(folder: Path, join: HeardJoin) -> None:
    """Keep no opinion of a join any more; `PoolError` when `state.db` cannot be written."""
    with _writing(folder) as connection:
        connection.execute(
            """DELETE FROM feedback WHERE from_hash = ? AND from_end_sample = ?
               AND to_hash = ? AND to_start_sample = ?""",
            _key(join),
        )


def remember_opinion(folder: Path, audio_hash: str, opinion: SongOpinion | None) -> None:
    """Keep what is thought of a song, in place of an older opinion; None: nothing any more.

    Raises `PoolError` when `state.db` cannot be written.
    """
    with _writing(folder) as connection:
        if opinion is None:
            connection.execute("DELETE FROM song_opinions WHERE audio_hash = ?", (audio_hash,))
        else:
            connection.execute(
                "INSERT OR REPLACE INTO song_opinions VALUES (?, ?, ?)", (audio_hash, opinion, time.time())
            )


def _key(join: HeardJoin) -> tuple[object, ...]:
    return (join.from_hash, join.from_end_sample, join.to_hash, join.to_start_sample)


@contextmanager
def _writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open `state.db` for one transaction; `PoolError` when it cannot be written."""
    path = folder / STATE_FILE
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
            connection.execute(_JOINS)
            connection.execute(_SONGS)
            yield connection
    except DATABASE_ERRORS as error:
        raise PoolError(
            f"{path} cannot be written ({error}); check the disk and who may write there"
        ) from error
