"""These measures say how well transitions are sorted, how full the buckets are, and what follows by them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model.approaches.categorical.data import Transitions
from model.base.arrays import FloatArray, IntArray
from model.learning.calibration import ScoredSongs
from model.learning.measures import area_under_curve
from model.learning.successors import SuccessorRanks, rank_successors
from model.saved.walk import class_probabilities, class_vectors

_BATCH = 64
_LEAST_CHANCE = np.float32(1e-12)


@dataclass(frozen=True, kw_only=True)
class ClassFigures(SuccessorRanks):
    """Figures of the transitions into the chunks of one set of songs; the successor's rank is by the walk."""

    accuracy: float | None
    """Share that is sorted into its own class; None where transitions have none."""
    empty: float
    """Share of the buckets that nothing falls into."""
    surer: float
    """Chance that a true transition is sorted more surely than a false one; 0.5 is guessing."""

    def brief(self) -> str:
        """Return how much is sorted rightly, and how much is empty."""
        sorted_rightly = "" if self.accuracy is None else f"right {self.accuracy:.3f}, "
        return f"{sorted_rightly}empty {self.empty:.2f}, AUC other songs {self.auc_cross:.3f}"


@dataclass(frozen=True, kw_only=True, eq=False)
class SortedSongs:
    """What a network says of the transitions of some songs."""

    logits: FloatArray
    """`(N, K)`, of the transitions into the chunks."""
    false_logits: FloatArray
    """`(N, K)`, of as many false ones."""
    song: IntArray
    labels: IntArray | None

    def sizes(self) -> IntArray:
        """Return `(K,)`: how many chunks fall into each bucket."""
        return np.bincount(self.logits.argmax(axis=1), minlength=self.logits.shape[1])

    def scored(self, walk: IntArray) -> ScoredSongs:
        """Return what metric `product` gives for all pairs of chunks."""
        vectors = class_vectors(self.logits, walk.tolist())
        chances = np.exp(vectors.ends) @ np.exp(vectors.starts).T
        return ScoredSongs(logits=np.log(np.maximum(chances, _LEAST_CHANCE)), song=self.song)

    def figures(self, walk: IntArray) -> ClassFigures:
        """Return the figures, with what follows what by `walk`."""
        sure, false = (class_probabilities(logits).max(axis=1) for logits in (self.logits, self.false_logits))
        ranks = rank_successors(self.scored(walk)) or SuccessorRanks.of_none(len(self.song))
        right = None if self.labels is None else self.logits.argmax(axis=1) == self.labels
        return ClassFigures(
            **asdict(ranks),
            accuracy=None if right is None else float(right.mean()),
            empty=float((self.sizes() == 0).mean()),
            surer=area_under_curve(sure, false),
        )


def sort_songs(network: Any, transitions: Transitions, rng: np.random.Generator) -> SortedSongs:
    """Return what a Keras network says of transitions, and of false ones, in batches."""
    tails, heads = transitions.false(rng)
    return SortedSongs(
        logits=_logits(network, transitions, transitions.before, np.arange(len(transitions))),
        false_logits=_logits(network, transitions, tails, heads),
        song=transitions.song,
        labels=transitions.labels,
    )


def _logits(network: Any, transitions: Transitions, tails: IntArray, heads: IntArray) -> FloatArray:
    found = [
        np.asarray(
            network.predict_on_batch(transitions.look(tails[row : row + _BATCH], heads[row : row + _BATCH]))
        )
        for row in range(0, len(heads), _BATCH)
    ]
    return np.concatenate(found)
