"""This module computes a condition's AUC against places matched in song, with an interval over songs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, IntArray

_RESAMPLES = 400

Names = npt.NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Area:
    """An AUC with its 95 % interval: 0.5 is chance, 1 tells every join."""

    value: float
    low: float
    high: float
    joins: int
    others: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Scores of joins or of other places.

    score: `(n,)`. song: `(n,)` str. moments: `(n,)` how many windows each score is the largest of. weight:
    `(n,)` how much each counts.
    """

    score: DoubleArray
    song: Names
    moments: IntArray
    weight: DoubleArray

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def joined_of(cls, parts: Sequence["Scored"]) -> "Scored":
        """Return all parts as one."""
        return cls(
            **{
                name: np.concatenate([getattr(part, name) for part in parts])
                for name in cls.__dataclass_fields__
            }
        )


def matched_area(joins: Scored, others: Scored, seed: int, *, resamples: int = _RESAMPLES) -> Area | None:
    """Return the AUC of scores of joins over those of other places; None when one side is empty.

    Places weigh so that each song, and in it each number of moments, has the share that it has among the
    joins: which song is often left gives nothing away, nor how long is listened. What has no place in its
    song has those of all songs with as many moments. The interval: songs are drawn anew, each join and place
    counting with its song.
    """
    if not len(joins) or not len(others):
        return None
    songs = np.unique(np.concatenate([joins.song, others.song]))
    of_joins, of_others = np.searchsorted(songs, joins.song), np.searchsorted(songs, others.song)
    kinds = max(int(joins.moments.max()), int(others.moments.max())) + 1
    key_joins, key_others = of_joins * kinds + joins.moments, of_others * kinds + others.moments
    have = np.bincount(key_others, others.weight, minlength=len(songs) * kinds).astype(np.float64)
    want = np.bincount(key_joins, joins.weight, minlength=len(songs) * kinds).astype(np.float64)
    weight = others.weight * (_shares(want, have)[key_others] + _elsewhere(want, have, kinds)[others.moments])
    if weight.sum() == 0:
        weight = others.weight
    rng = np.random.default_rng([seed, 2])
    drawn = []
    for _ in range(resamples):
        count = np.bincount(rng.integers(len(songs), size=len(songs)), minlength=len(songs))
        in_joins, in_others = joins.weight * count[of_joins], weight * count[of_others]
        if in_joins.sum() > 0 and in_others.sum() > 0:
            drawn.append(weighted_area(joins.score, in_joins, others.score, in_others))
    value = weighted_area(joins.score, joins.weight, others.score, weight)
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (value, value)
    return Area(value=value, low=float(low), high=float(high), joins=len(joins), others=len(others))


def _elsewhere(want: DoubleArray, have: DoubleArray, kinds: int) -> DoubleArray:
    """Return `(kinds,)`: what places of each number of moments weigh for songs that have none."""
    missing = np.where(have > 0, 0.0, want).reshape(-1, kinds).sum(axis=0)
    return _shares(missing, have.reshape(-1, kinds).sum(axis=0))


def _shares(want: DoubleArray, have: DoubleArray) -> DoubleArray:
    found: DoubleArray = np.where(have > 0, want / np.where(have > 0, have, 1.0), 0.0)
    return found


def weighted_area(
    right: DoubleArray, right_weight: DoubleArray, wrong: DoubleArray, wrong_weight: DoubleArray
) -> float:
    """Return the chance that a right one, drawn by weight, scores above a wrong one; ties count half."""
    order = np.argsort(wrong, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(wrong_weight[order])])
    ranked = wrong[order]
    below = total[np.searchsorted(ranked, right, side="left")]
    upto = total[np.searchsorted(ranked, right, side="right")]
    # Rounding must not take it out of its range.
    return min(1.0, float((right_weight @ (below + upto)) / 2 / (right_weight.sum() * total[-1])))
