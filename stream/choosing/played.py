"""What was played is kept as the few chunks that were, and spread over all only where that is asked for.

Of a million chunks a stream plays some thousands a day, and a copy is wanted after each step.
"""

from dataclasses import dataclass

import numpy as np

from model.base.array_files import frozen
from model.base.arrays import IntArray, RowArray
from stream.index.edge_index import NEVER

MOST_RECENT = 256
"""Steps that are kept one by one; with more of them, `settle` is called for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlayCounts:
    """When and how often some chunks were played, `(n,)` int64 each.

    last_played: the step at which each was played last, or `NEVER`. plays: how often.
    """

    last_played: IntArray
    plays: IntArray


class Played:
    """Which of `N` chunks were played, when last and how often; belongs to one thread.

    Copies share what is old, and may belong to another thread as long as nothing is added to them.
    """

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        self._old_rows: IntArray = frozen(np.empty(0, dtype=np.int64))
        """Rising; never written to, and neither are their counts."""
        self._old = PlayCounts(last_played=self._old_rows, plays=self._old_rows)
        self._recent: list[tuple[int, int]] = []
        """Row and step, in order."""
        self._spread: tuple[RowArray, RowArray] | None = None

    @property
    def last_played(self) -> RowArray:
        """`(N,)` int32, read-only: the step at which each chunk was played last, or `NEVER`."""
        return _shown(self._everywhere()[0])

    @property
    def plays(self) -> RowArray:
        """`(N,)` int32, read-only: how often each chunk was played."""
        return _shown(self._everywhere()[1])

    @property
    def is_long(self) -> bool:
        """Whether so much is kept step by step that it should `settle`."""
        return len(self._recent) > MOST_RECENT

    def copy(self) -> "Played":
        """Return the same, to which other steps are added."""
        other = Played(self._chunks)
        other._old_rows, other._old, other._recent = self._old_rows, self._old, self._recent.copy()
        return other

    def add(self, row: int, step: int) -> None:
        """Count a chunk as played at a step, the latest so far."""
        self._recent.append((row, step))
        if self._spread is not None:
            last_played, plays = self._spread
            last_played[row] = step
            plays[row] += 1

    def put(self, rows: IntArray, counts: PlayCounts) -> None:
        """Set what is known of some chunks, `(n,)`; the last word on one counts."""
        before = self.rows()
        kept, every = self.of(before), np.concatenate([before, rows])
        found, from_end = np.unique(every[::-1], return_index=True)
        places = len(every) - 1 - from_end
        last_played = np.concatenate([kept.last_played, counts.last_played])[places]
        plays = np.concatenate([kept.plays, counts.plays])[places]
        self._keep(
            found,
            PlayCounts(last_played=last_played, plays=plays),
        )
        self._spread = None

    def settle(self) -> None:
        """Keep no longer step by step what was played until now."""
        rows = self.rows()
        self._keep(rows, self.of(rows))

    def rows(self) -> IntArray:
        """Return the chunks of which anything is known, rising, int64."""
        recent = np.array([row for row, _ in self._recent], dtype=np.int64)
        return np.union1d(self._old_rows, recent)

    def of(self, rows: IntArray) -> PlayCounts:
        """Return what is known of some chunks, `(n,)`."""
        last_played, plays = np.full(len(rows), NEVER, dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        if len(self._old_rows):
            places = np.minimum(np.searchsorted(self._old_rows, rows), len(self._old_rows) - 1)
            known = self._old_rows[places] == rows
            last_played[known] = self._old.last_played[places[known]]
            plays[known] = self._old.plays[places[known]]
        if self._recent:
            recent, steps = np.array(self._recent, dtype=np.int64).T
            found, first, counts = np.unique(recent[::-1], return_index=True, return_counts=True)
            places = np.minimum(np.searchsorted(found, rows), len(found) - 1)
            known = found[places] == rows
            last_played[known] = steps[::-1][first[places[known]]]
            plays[known] += counts[places[known]]
        return PlayCounts(last_played=last_played, plays=plays)

    def changed_since(self, other: "Played") -> IntArray:
        """Return the chunks of which another, of the same chunks, knows something else."""
        if self._old_rows is other._old_rows:
            recent = [row for row, _ in (*self._recent, *other._recent)]
            rows = np.unique(np.array(recent, dtype=np.int64))
        else:
            rows = np.union1d(self.rows(), other.rows())
        here, there = self.of(rows), other.of(rows)
        changed: IntArray = rows[(here.plays != there.plays) | (here.last_played != there.last_played)]
        return changed

    def _keep(self, rows: IntArray, counts: PlayCounts) -> None:
        self._old_rows, self._old, self._recent = rows, counts, []

    def _everywhere(self) -> tuple[RowArray, RowArray]:
        if self._spread is None:
            last_played = np.full(self._chunks, NEVER, dtype=np.int32)
            plays = np.zeros(self._chunks, dtype=np.int32)
            rows = self.rows()
            counts = self.of(rows)
            last_played[rows], plays[rows] = counts.last_played, counts.plays
            self._spread = last_played, plays
        return self._spread


def _shown(array: RowArray) -> RowArray:
    return frozen(array.view())
