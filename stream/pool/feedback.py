"""The feedback keeps what listeners thought of joins in the pool's `state.db`.

It is keyed by audio and position, so that it outlives rebuilds and cutters. `labelled_joins` is what
fine-tuning reads; `stream.choosing.liking` is what the planner asks.
"""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import PoolError

STATE_FILE = "state.db"
MOST_JOINS = 100_000
"""The latest of so many are read."""
REACH_S = 0.5
"""A join of other chunks (another cutter) is the same one when both its sides lie this near."""

_SCHEMA = """
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
    path = folder / STATE_FILE
    if not path.is_file():
        return []
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            rows = connection.execute(
                """SELECT from_hash, from_end_sample, to_hash, to_start_sample, label
                   FROM feedback ORDER BY created_s DESC LIMIT ?""",
                (MOST_JOINS,),
            ).fetchall()
    except sqlite3.Error as error:
        raise PoolError(_unreadable(path, error)) from error
    if any([type(value) for value in row] != [str, int, str, int, int] for row in rows):
        raise PoolError(_unreadable(path, "it holds what is no join"))
    return [
        LabelledJoin(
            from_hash=row[0], from_end_sample=row[1], to_hash=row[2], to_start_sample=row[3], label=row[4]
        )
        for row in reversed(rows)
    ]


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
    except sqlite3.Error as error:
        answers = [str(error)]
    except PoolError as error:
        return [str(error)]
    return [_unreadable(path, answer) for answer in answers if answer != "ok"]


def _unreadable(path: Path, reason: object) -> str:
    return f"{path} cannot be read ({reason}); restore it, or delete it to forget it all"


def remember(folder: Path, join: LabelledJoin) -> None:
    """Keep what was thought of a join, in place of an older opinion; `PoolError` when it cannot."""
    path = folder / STATE_FILE
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
            connection.execute(_SCHEMA)
            connection.execute(
                "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?, ?)",
                (
                    join.from_hash,
                    join.from_end_sample,
                    join.to_hash,
                    join.to_start_sample,
                    join.label,
                    time.time(),
                ),
            )
    except sqlite3.Error as error:
        raise PoolError(
            f"{path} cannot be written ({error}); check the disk and who may write there"
        ) from error
