"""This module computes a condition's AUC against places matched in song, with an interval over songs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray

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


def matched_area(
    joins: DoubleArray,
    joins_song: Names,
    others: DoubleArray,
    others_song: Names,
    seed: int,
    *,
    resamples: int = _RESAMPLES,
) -> Area | None:
    """Return the AUC of scores of joins over those of other places; None when one side is empty.

    Places weigh so that each song has the share that it has among the joins (songs without a place are
    left out of this). The interval: songs are drawn anew, each join and place counting with its song.
    """
    songs = np.unique(np.concatenate([joins_song, others_song]))
    of_joins, of_others = np.searchsorted(songs, joins_song), np.searchsorted(songs, others_song)
    if not len(joins) or not len(others):
        return None
    have = np.bincount(of_others, minlength=len(songs))
    want = np.bincount(of_joins, minlength=len(songs)).astype(np.float64)
    weight = (want / np.maximum(have, 1))[of_others]
    if weight.sum() == 0:
        weight = np.ones(len(others))
    rng = np.random.default_rng([seed, 2])
    drawn = []
    for _ in range(resamples):
        count = np.bincount(rng.integers(len(songs), size=len(songs)), minlength=len(songs))
        in_joins, in_others = count[of_joins].astype(np.float64), weight * count[of_others]
        if in_joins.sum() > 0 and in_others.sum() > 0:
            drawn.append(weighted_area(joins, in_joins, others, in_others))
    value = weighted_area(joins, np.ones(len(joins)), others, weight)
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (value, value)
    return Area(value=value, low=float(low), high=float(high), joins=len(joins), others=len(others))


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
