"""These measures (accuracy, cross-entropy, AUC) say how well scores tell true pairs from false ones."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray

TRAINING_SONGS = "training songs"
"""What songs that were learned from are called where whole songs are measured on."""
UNSEEN = "unseen songs (song-disjoint)"
"""What songs that training never saw are called wherever they are measured on."""
KEPT_BACK = "songs kept back (it cannot be told whether they were learned before)"
"""Name of the songs kept back where the start model cannot tell what it had learned from."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Figures of one set of pairs."""

    accuracy: float
    """Share of the pairs on the right side of 0.5."""
    loss: float
    """Binary cross-entropy, natural logarithm."""
    auc: float
    """Chance that a true pair scores above a false one, ties half; NaN-free: 0.5 when one kind is missing."""
    pairs: int

    def brief(self) -> str:
        """Return accuracy and AUC."""
        return f"{self.accuracy:.3f} (AUC {self.auc:.3f})"


def measure_scores(scores: FloatArray, labels: FloatArray) -> Measure:
    """Return the figures of `(n,)` scores in [0, 1] against `(n,)` labels 0 or 1, n at least 1."""
    true = labels > 0.5
    likely = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return Measure(
        accuracy=float(np.mean((scores > 0.5) == true)),
        loss=float(-np.mean(np.where(true, np.log(likely), np.log1p(-likely)))),
        auc=area_under_curve(scores[true], scores[~true]),
        pairs=len(labels),
    )


def area_under_curve(true: FloatArray, false: FloatArray) -> float:
    """Return the area under the ROC curve of scores of true and false pairs (Mann-Whitney U, ties half)."""
    if len(true) == 0 or len(false) == 0:
        return 0.5
    ordered = np.sort(false)
    below = np.searchsorted(ordered, true, side="left")
    upto = np.searchsorted(ordered, true, side="right")
    return float((below.sum() + upto.sum()) / (2 * len(true) * len(false)))
