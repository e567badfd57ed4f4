"""Lessons say how much each window weighs for a detector, and draw batches of them for the CNN."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from tools.quality.joins.hearing.between import BETWEEN
from tools.quality.joins.hearing.samples import Samples

LESSON_JOINS = 32
"""Joins of a batch, and as many other places."""


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

    A share is drawn and not weighed: a batch is worth the same, and so does learning cost, however many
    windows there are.
    """

    def __init__(self, samples: Samples, seed: int) -> None:
        self._mel = samples.mel
        self._rng = np.random.default_rng([seed, 6])
        weight = balance(samples)
        self._sides = [_Side(np.flatnonzero(side), weight) for side in (samples.joined, ~samples.joined)]

    def batch(self) -> FloatArray:
        """Return `(2 * LESSON_JOINS, pairs, bands)`, dB: joins first, then as many other places."""
        rows = [side.drawn(self._rng, LESSON_JOINS) for side in self._sides]
        found: FloatArray = self._mel[np.concatenate(rows)]
        return found


class _Side:
    """Windows that are drawn by their weight."""

    def __init__(self, rows: IntArray, weight: DoubleArray) -> None:
        self._rows = rows[weight[rows] > 0]
        upto = np.cumsum(weight[self._rows])
        self._upto = upto / upto[-1]

    def drawn(self, rng: np.random.Generator, count: int) -> IntArray:
        found: IntArray = self._rows[np.searchsorted(self._upto, rng.random(count), side="right")]
        return found
