"""The calibration turns scores into probabilities by logistic regression on true and wrong pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredSongs:
    """All chunks of some songs against all."""

    logits: FloatArray
    """`(N, N)`: row = predecessor."""
    song: IntArray

    @property
    def true_pairs(self) -> BoolArray:
        """`(N, N)`: whether the column follows the row in its song."""
        follows = np.zeros(self.logits.shape, dtype=np.bool_)
        rows = np.flatnonzero(self.song[:-1] == self.song[1:])
        follows[rows, rows + 1] = True
        return follows


def calibrate(parts: Sequence[ScoredSongs]) -> dict[str, float]:
    """Return `scale` and `offset` of logistic regression on true and wrong pairs (Platt, 1999).

    parts: sets of songs, each scored by a model of its own. True pairs weigh as much as all wrong ones
    together, and wrong ones of the same song as much as those of others, so that 1/2 is where one cannot
    tell. `{"scale": 1, "offset": 0}` without true pairs.
    """
    kinds = [np.concatenate([_kinds(scored)[kind].ravel() for scored in parts]) for kind in range(3)]
    held = [(kind, share) for kind, share in zip(kinds, (0.5, 0.25, 0.25), strict=True) if kind.any()]
    follows = kinds[0]
    if not follows.any() or len(held) == 1:
        return {"scale": 1.0, "offset": 0.0}
    weight = np.zeros(len(follows))
    for kind, share in held:
        weight[kind] = share / kind.sum()
    logits = np.concatenate([scored.logits.ravel() for scored in parts]).astype(np.float64)
    return _logistic(logits, follows, weight)


def _kinds(scored: ScoredSongs) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Return `(N, N)` each: true pairs, wrong ones of one song, those of two songs."""
    follows = scored.true_pairs
    same = scored.song[:, None] == scored.song[None]
    return follows, same & ~follows & ~np.eye(len(follows), dtype=np.bool_), ~same


def _logistic(logits: DoubleArray, true: BoolArray, weight: DoubleArray) -> dict[str, float]:
    """Weighted logistic regression of one variable, by Newton's method with a small ridge."""
    chosen = weight > 0
    x, y, w = logits[chosen], true[chosen].astype(np.float64), weight[chosen] / weight.sum()
    centre, spread = float((w * x).sum()), float(max(1e-6, np.sqrt((w * (x - (w * x).sum()) ** 2).sum())))
    design = np.stack([(x - centre) / spread, np.ones_like(x)])
    coefficients = np.zeros(2)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(coefficients @ design, -30, 30)))
        gradient = design @ (w * (y - probability)) - 1e-4 * coefficients
        curvature = (design * (w * probability * (1 - probability))) @ design.T + 1e-4 * np.eye(2)
        change = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + np.clip(change, -4, 4)
        if np.abs(change).max() < 1e-9:
            break
    scale = coefficients[0] / spread
    return {"scale": float(scale), "offset": float(coefficients[1] - scale * centre)}
