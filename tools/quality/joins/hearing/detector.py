"""The detectors of joins are boosted trees on evidence, and a small CNN that has a module of its own."""

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from model.base.arrays import DoubleArray
from tools.quality.joins.hearing.lessons import balance
from tools.quality.joins.hearing.network import Network
from tools.quality.joins.hearing.samples import Samples

Kind = Literal["boosted", "network"]


class Detector(Protocol):
    """Tells joins from places where nothing was joined."""

    def fit(self, samples: Samples) -> None:
        """Learn from windows; joined and not joined weigh the same."""

    def score(self, samples: Samples) -> DoubleArray:
        """Return `(n,)`: how much each is like a join, as log-odds."""


class Boosted:
    """Gradient-boosted trees on `tools.quality.joins.hearing.evidence`."""

    def __init__(self, seed: int, rounds: int = 250) -> None:
        self._trees = HistGradientBoostingClassifier(
            max_iter=rounds,
            learning_rate=0.06,
            max_leaf_nodes=15,
            l2_regularization=1.0,
            min_samples_leaf=20,
            random_state=seed,
        )

    def fit(self, samples: Samples) -> None:
        """Learn (`Detector`)."""
        # Threads that wait for each other on a busy machine cost many times what they bring.
        with threadpool_limits(1):
            self._trees.fit(samples.evidence, samples.joined, sample_weight=balance(samples))

    def score(self, samples: Samples) -> DoubleArray:
        """Return log-odds (`Detector`)."""
        with threadpool_limits(1):
            found: DoubleArray = self._trees.decision_function(samples.evidence)
        return found


def make(kind: Kind, seed: int) -> Detector:
    """Return a detector that has learned nothing yet."""
    return Boosted(seed) if kind == "boosted" else Network(seed)


def out_of_fold(
    samples: Samples, make_one: Callable[[], Detector], learned: Samples | None = None
) -> DoubleArray:
    """Return `(n,)` scores, each by a detector that heard none of the window's songs.

    learned: what is learned from; the samples themselves when None. Folds are song-disjoint.
    """
    source = samples if learned is None else learned
    scores = np.full(len(samples), np.nan)
    for fold in np.unique(samples.fold):
        detector = make_one()
        detector.fit(source.where(source.fold != fold))
        held = samples.fold == fold
        scores[held] = detector.score(samples.where(held))
    return scores
