"""The travel says of each chunk what a change of song to it would mean for the way of the stream."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.journey.arcs import pool_energy, wanted_energy
from stream.choosing.journey.spacing import Spacing
from stream.choosing.weighing.weights import CostWeights

AskedRows = IntArray | slice
"""Which chunks are asked for: `(n,)` rows, or a slice of all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Onward:
    """Where a change of song may lead at one choice.

    open: `(S,)` bool, songs whose turn it may be. playable: `(S,)` bool, where any chunk may follow.
    """

    open: BoolArray
    playable: BoolArray
    reasons: tuple[str, ...]
    _song: IntArray
    _target: BoolArray | None
    _late: FloatArray
    """`(S,)` float32 in log-odds: what speaks for songs that were not heard for long."""
    _energy: FloatArray
    _wanted: np.float32
    _arc: np.float32

    def abroad(self, rows: AskedRows) -> BoolArray:
        """Return whether a change of song may lead to chunks, `(n,)` bool."""
        open_there = self.open[self._song[rows]]
        return open_there if self._target is None else open_there | self._target[rows]

    def leads_abroad(self, allowed: BoolArray, *, leaving: int | None = None) -> bool:
        """Whether a change of song may lead to any chunk of those that are `allowed`, `(N,)`.

        leaving: of another song than this one.
        """
        songs = self.open & self.playable
        if leaving is not None:
            songs[leaving] = False
        if self._target is None or songs.any():
            return bool(songs.any())
        target = np.flatnonzero(allowed & self._target)
        return bool((self._song[target] != leaving).any()) if leaving is not None else bool(len(target))

    def due(self, rows: AskedRows) -> FloatArray:
        """Return what speaks for chunks of songs that were not heard for long, `(n,)` in log-odds."""
        return self._late[self._song[rows]]

    def arc(self, rows: AskedRows) -> FloatArray:
        """Return what speaks against music that is livelier or calmer than wanted, `(n,)` in log-odds."""
        worths: FloatArray = self._arc * np.abs(self._energy[rows] - self._wanted)
        return worths


class Travel:
    """How a stream travels through the songs of one generation; belongs to one thread."""

    def __init__(self, generation: Generation, weights: CostWeights) -> None:
        self._song = generation.index.song
        self._weights = weights
        self._spacing = Spacing(generation)
        self._energy = pool_energy(generation.pool)

    def onward(self, course: Course, row: int, allowed: BoolArray, target: BoolArray | None = None) -> Onward:
        """Return where a change of song may lead from chunk `row`; allowed: `(N,)`, possible entries.

        target: `(N,)`, where it may lead however lately that was heard.
        """
        playable = self._spacing.any_of_each(allowed)
        found = self._spacing.openings(course, row, playable)
        return Onward(
            open=found.open,
            playable=playable,
            reasons=found.reasons,
            _song=self._song,
            _target=target,
            _late=np.float32(self._weights.late) * found.late,
            _energy=self._energy,
            _wanted=np.float32(wanted_energy(course.heard_s)),
            _arc=np.float32(-self._weights.arc),
        )
