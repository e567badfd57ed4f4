"""The travel says of each chunk what a change of song to it would mean for the way of the stream."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.journey.arcs import pool_energy, wanted_energy
from stream.choosing.journey.spacing import Spacing
from stream.choosing.weighing.weights import CostWeights


@dataclass(frozen=True, kw_only=True, eq=False)
class Onward:
    """Where a change of song may lead at one choice.

    open: `(S,)` bool, songs whose turn it may be. abroad: `(N,)` bool, their chunks. due, arc: `(N,)`
    float32, in log-odds: what speaks for songs that were not heard for long, and against music that is
    livelier or calmer than wanted.
    """

    open: BoolArray
    abroad: BoolArray
    due: FloatArray
    arc: FloatArray
    reasons: tuple[str, ...] = ()


class Travel:
    """How a stream travels through the songs of one generation; belongs to one thread."""

    def __init__(self, generation: Generation, weights: CostWeights) -> None:
        self._song = generation.index.song
        self._songs = len(generation.pool.songs)
        self._weights = weights
        self._spacing = Spacing(generation)
        self._energy = pool_energy(generation.pool)

    def onward(self, course: Course, row: int, allowed: BoolArray, target: BoolArray | None = None) -> Onward:
        """Return where a change of song may lead from chunk `row`; allowed: `(N,)`, possible entries.

        target: `(N,)`, where it may lead however lately that was heard.
        """
        playable = np.bincount(self._song[allowed], minlength=self._songs) > 0
        found = self._spacing.openings(course, row, playable)
        abroad = found.open[self._song]
        off = np.abs(self._energy - np.float32(wanted_energy(course.heard_s)))
        return Onward(
            open=found.open,
            abroad=abroad if target is None else abroad | target,
            due=(np.float32(self._weights.late) * found.late)[self._song],
            arc=np.float32(-self._weights.arc) * off,
            reasons=found.reasons,
        )
