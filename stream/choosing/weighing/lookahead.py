"""The look-ahead says how good the joins are that a join leads to, several deep and discounted."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.kernels import kernel
from stream.choosing.phrases import Phrases
from stream.choosing.settings import PlannerSettings
from stream.index.top import top

_MOST_CHUNKS = 65_536
"""In a larger pool there is always another good join, and looking for it would take too long."""
_MOST_EXITS = 16_384
"""Exits whose joins are known, at most; the oldest are forgotten."""
JOINS_OF_A_KIND = 16
"""Joins that are kept of each exit: so many into the same song, and so many into others."""
UNKNOWN = -1
HOPELESS = -12.0
"""Worth of an exit from which nothing that is known may be reached, in log-odds."""


class _Known(NamedTuple):
    """What is known of `S` exits, each in a slot of its own, for kernels."""

    exits: IntArray
    """`(S,)`, the row of each, or `UNKNOWN`."""
    slot_of: IntArray
    """`(N,)`, the slot of each row, or `UNKNOWN`."""
    joins: npt.NDArray[np.int32]
    """`(S, 2 * JOINS_OF_A_KIND)`, rows."""
    worths: FloatArray
    """Of these joins, in log-odds."""


class Future:
    """The best joins from the exits that have been scored; belongs to one thread."""

    def __init__(self, song: IntArray) -> None:
        """song: `(N,)`, of each chunk; `measure` says which phrases there are, before `worths` is asked."""
        self._phrases: Phrases | None = None
        self._song = song
        self.enabled = len(song) <= _MOST_CHUNKS
        chunks = len(song) if self.enabled else 0
        slots = min(chunks, _MOST_EXITS)
        self._slot = np.full(chunks, UNKNOWN, dtype=np.int64)
        self._exits = np.full(slots, UNKNOWN, dtype=np.int64)
        self._joins = np.full((slots, 2 * JOINS_OF_A_KIND), UNKNOWN, dtype=np.int32)
        self._worths = np.full((slots, 2 * JOINS_OF_A_KIND), HOPELESS, dtype=np.float32)
        self._next_slot = 0

    def measure(self, phrases: Phrases) -> None:
        """Look ahead by these phrases from now on; what is known of exits stays."""
        self._phrases = phrases

    def knows(self, exit_row: int) -> bool:
        """Whether the joins from an exit are known, or need not be."""
        return not self.enabled or self._slot[exit_row] != UNKNOWN

    def learn(self, exit_row: int, totals: FloatArray, possible: BoolArray) -> None:
        """Keep the best joins from an exit.

        totals: `(N,)` float32, what each is worth at any time, in log-odds; to go on in the song is one of
        them. possible: `(N,)` bool.
        """
        if self.knows(exit_row):
            return
        slot = self._next_slot
        self._next_slot = (slot + 1) % len(self._exits)
        if self._exits[slot] != UNKNOWN:
            self._slot[self._exits[slot]] = UNKNOWN
        self._exits[slot], self._slot[exit_row] = exit_row, slot
        self._joins[slot] = UNKNOWN
        same = self._song == self._song[exit_row]
        for kind, mask in enumerate((possible & same, possible & ~same)):
            best = top(totals, mask, JOINS_OF_A_KIND)
            first = kind * JOINS_OF_A_KIND
            self._joins[slot, first : first + len(best)] = best
            self._worths[slot, first : first + len(best)] = totals[best]

    def worths(
        self,
        allowed: BoolArray,
        abroad: BoolArray,
        entering: FloatArray,
        other_song: float,
        settings: PlannerSettings,
    ) -> FloatArray:
        """Return `(N,)` float32 in log-odds: what a phrase from each chunk leads to, against the mean.

        allowed: `(N,)` bool, where phrases may begin now; abroad: of those, where a change of song may lead.
        entering: `(N,)` float32, what beginning there is worth now. other_song: what a join to another song
        is worth. `joins_ahead` joins are looked ahead, each counting `discount` times the one before.
        """
        chunks, phrases = len(allowed), self._phrases
        if phrases is None or not self.enabled or settings.joins_ahead < 1 or self._exits[0] == UNKNOWN:
            return np.zeros(chunks, dtype=np.float32)
        return _worths(
            _Known(exits=self._exits, slot_of=self._slot, joins=self._joins, worths=self._worths),
            self._song,
            phrases.first_exit,
            phrases.last_exit,
            allowed,
            abroad,
            entering,
            np.float32(other_song),
            settings.joins_ahead,
            np.float32(settings.discount),
        )


@kernel
def _worths(
    known: _Known,
    song: IntArray,
    first_exit: IntArray,
    last_exit: IntArray,
    allowed: BoolArray,
    abroad: BoolArray,
    entering: FloatArray,
    other_song: np.float32,
    depth: int,
    discount: np.float32,
) -> FloatArray:
    count = len(allowed)
    value = np.zeros(count, dtype=np.float32)
    leaving = np.empty(len(known.exits), dtype=np.float32)
    for _ in range(depth):
        total, filled = 0.0, 0
        for slot in range(len(known.exits)):
            if known.exits[slot] < 0:
                continue
            best = float(HOPELESS)
            for place in range(known.joins.shape[1]):
                entry = known.joins[slot, place]
                if entry < 0 or not allowed[entry]:
                    continue
                worth = known.worths[slot, place] + entering[entry] + discount * value[entry]
                if song[entry] != song[known.exits[slot]]:
                    if not abroad[entry]:
                        continue
                    worth += other_song
                best = max(best, worth)
            leaving[slot] = best
            total += best
            filled += 1
        mean = total / max(1, filled)
        for entry in range(count):
            first = first_exit[entry]
            best = HOPELESS - mean
            if first < 0:
                value[entry] = best
                continue
            for exit_row in range(first, last_exit[entry] + 1):
                slot = known.slot_of[exit_row]
                # Of an exit that is not known yet, the mean is expected.
                best = max(best, leaving[slot] - mean if slot >= 0 else 0.0)
            value[entry] = best
    return value
