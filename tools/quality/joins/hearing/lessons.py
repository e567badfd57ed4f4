"""Lessons say how much each window weighs for a detector, and draw batches of them for the CNN."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from tools.quality.joins.hearing.between import BETWEEN
from tools.quality.joins.hearing.collecting import along_untouched
from tools.quality.joins.hearing.made import made_joins
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.streams import PLAIN

LESSON_JOINS = 32
"""Joins of a batch, and as many other places."""
MADE_SHARE = 0.75
"""So many of the plain joins of a batch are made, where untouched windows are at hand."""


def balance(samples: Samples) -> DoubleArray:
    """Return `(n,)` weights: each condition's joins count alike, and all joins like all other places.

    A join counts once, however many windows it is listened to by. Joins of one window stand at borders, the
    windows of longer ones anywhere: of the other places those between borders have the long joins' share.
    """
    joined = samples.joined
    windows = np.bincount(samples.transition)[samples.transition]
    weight = 1.0 / windows
    between = samples.condition == BETWEEN
    anywhere = 0.0
    if between.any():
        anywhere = float(weight[joined & (windows > 1)].sum() / max(1.0, weight[joined].sum()))
    for places, share in ((~joined & ~between, 1.0 - anywhere), (between, anywhere)):
        weight[places] *= 0.5 * share / max(1.0, weight[places].sum())
    kinds = np.unique(samples.condition[joined])
    for name in kinds:
        own = joined & (samples.condition == name)
        weight[own] *= 0.5 / weight[own].sum() / len(kinds)
    return weight * len(samples)


class Lessons:
    """Draws batches by the shares that `balance` gives.

    A share is drawn and not weighed, so that a batch costs the same however many windows there are. Part of
    the plain joins are made of untouched windows, new ones each time, and as many untouched windows are among
    the other places: the CNN cannot learn these by heart.
    """

    def __init__(self, samples: Samples, seed: int) -> None:
        weight = balance(samples)
        self._mel = samples.mel
        self._rng = np.random.default_rng([seed, 6])
        self._untouched = np.flatnonzero(along_untouched(samples))
        joined = samples.joined
        self._joins, self._joins_upto = _drawn_by(np.flatnonzero(joined), weight)
        self._others, self._others_upto = _drawn_by(np.flatnonzero(~joined), weight)
        plain = samples.condition[self._joins] == PLAIN
        self._plain = np.zeros(len(samples), dtype=np.bool_)
        self._plain[self._joins[plain]] = True

    def batch(self) -> FloatArray:
        """Return `(2 * LESSON_JOINS, pairs, bands)` float32, dB: joins first, then as many other places."""
        rng = self._rng
        joins = self._joins[np.searchsorted(self._joins_upto, rng.random(LESSON_JOINS), side="right")]
        others = self._others[np.searchsorted(self._others_upto, rng.random(LESSON_JOINS), side="right")]
        made = np.flatnonzero(self._plain[joins] & (rng.random(LESSON_JOINS) < MADE_SHARE))
        if not len(self._untouched):
            made = made[:0]
        found = self._mel[np.concatenate([joins, others])].astype(np.float32)
        found[made] = made_joins(self._mel, self._drawn(len(made)), self._drawn(len(made)))
        found[LESSON_JOINS + made] = self._mel[self._drawn(len(made))]
        return found

    def _drawn(self, count: int) -> IntArray:
        drawn: IntArray = self._rng.choice(self._untouched, count)
        return drawn


def _drawn_by(rows: IntArray, weight: DoubleArray) -> tuple[IntArray, DoubleArray]:
    """Return the rows that weigh anything, and what they and those before weigh, of all."""
    rows = rows[weight[rows] > 0]
    upto = np.cumsum(weight[rows])
    return rows, upto / upto[-1]
