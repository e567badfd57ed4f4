"""The way out of a song leads to the exits that own its best doors, as far as that is worth the wait."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.choosing.journey.travel import Onward
from stream.choosing.phrases import NOWHERE, Phrases
from stream.doors.ranking import DoorRanking
from stream.pool.pool import Pool

DUE = 1.0
"""From so many changes of song on that are owed, the stream stays only where a better way out is ahead."""
MOST_OWED = 3.0
"""With more owed than this it leaves by the best door at hand."""
LEAST_SLACK, MORE_SLACK = 0.1, 0.15
"""A door may be worse than the best ahead by the first, and by the second for each change owed since."""
EARLY = 0.5
"""Of each change that is not owed yet, it has to be better than any ahead by so much."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WayOut:
    """What the doors of a song say of its chunks.

    rows: of the song. ahead: `(len,)` float32, at most 0, in log-odds: the best door that a phrase from each
    leads to, against the best that can be reached; `-inf` where it leads to none.
    """

    rows: slice
    ahead: FloatArray
    leaves_now: bool
    """Whether an exit at hand has a door that is hardly worse than any that can still be reached."""


def way_out(
    pool: Pool,
    doors: DoorRanking,
    phrases: Phrases,
    *,
    row: int,
    exits: list[int],
    reached: BoolArray,
    onward: Onward,
    owed: float,
) -> WayOut:
    """Return the way out of the song of chunk `row`, whose phrase may end after one of `exits`.

    reached: `(N,)`, where in the song phrases may begin after this one.
    """
    song = int(pool.chunk_song[row])
    rows = pool.song_rows(song)
    best = doors.best_into(song, onward.open)
    ahead = _ahead(best, phrases.first_exit[rows] - rows.start, phrases.last_exit[rows] - rows.start)
    here = float(best[np.array(exits) - rows.start].max())
    later = float(np.where(reached[rows], ahead, np.float32(-np.inf)).max())
    if not np.isfinite(later):
        return WayOut(rows=rows, ahead=np.zeros_like(ahead), leaves_now=True)
    early = EARLY * (DUE - owed) if owed < DUE else -LEAST_SLACK - MORE_SLACK * (owed - DUE)
    return WayOut(rows=rows, ahead=ahead - np.float32(later), leaves_now=here >= later + early)


def _ahead(best: FloatArray, first_exit: IntArray, last_exit: IntArray) -> FloatArray:
    result = np.full(len(best), -np.inf, dtype=np.float32)
    for place, (first, last) in enumerate(zip(first_exit.tolist(), last_exit.tolist(), strict=True)):
        if first > NOWHERE:
            result[place] = best[first : last + 1].max()
    return result
