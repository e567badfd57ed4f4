"""The worst moment of a join is held against that of as many windows over untouched music."""

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, IntArray
from tools.quality.joins.hearing.areas import Area, Scored, matched_area
from tools.quality.joins.hearing.moments import MOMENT_STEP_S
from tools.quality.joins.hearing.samples import Samples

_GAP_S = 2 * MOMENT_STEP_S
"""Untouched places further apart do not belong to one stretch."""
NOVELTY_S = (1.5, 4.5)
"""Before and after a border the timbre of windows of 3 s is compared whose middles are so far from it."""
SECTION_SHARE = 0.05
"""The strongest changes are this share of chunk borders."""


def worst_of_joins(samples: Samples, scores: DoubleArray, chosen: BoolArray) -> Scored:
    """Return the worst moment of each join among the chosen windows.

    scores: `(n,)` log-odds of the windows; chosen: `(n,)`, all windows of a join or none of them.
    """
    rows = worst_rows(samples, scores, chosen)
    return Scored(
        score=scores[rows],
        song=samples.from_song[rows],
        moments=np.unique(samples.transition[chosen], return_counts=True)[1],
        weight=np.ones(len(rows)),
    )


def worst_of_stretches(
    samples: Samples, scores: DoubleArray, track: BoolArray, centres: BoolArray, counts: IntArray
) -> Scored:
    """Return the worst moment of every untouched stretch of as many windows as joins have.

    track: `(n,)` windows along untouched streams; centres: `(n,)` those of them that stretches are centred
    on; counts: `(joins,)` windows of each join, each number of which counts by its share. A stretch that is
    not whole, at the end of a song, is left out.
    """
    rows = _in_time(samples, track)
    far = np.abs(np.diff(samples.at_s[rows])) > _GAP_S
    far |= samples.fold[rows][1:] != samples.fold[rows][:-1]
    run = np.concatenate([[0], np.cumsum(far)])
    middles = np.flatnonzero(centres[rows])
    numbers, shares = np.unique(counts, return_counts=True)
    worst, places, moments, weight = [np.empty(0)], [middles[:0]], [middles[:0]], [np.empty(0)]
    for count, share in zip(numbers.tolist(), (shares / shares.sum()).tolist(), strict=True):
        first, last = middles - (count - 1) // 2, middles + count // 2
        whole = (first >= 0) & (last < len(rows))
        whole[whole] = run[first[whole]] == run[last[whole]]
        worst.append(scores[rows[first[whole][:, None] + np.arange(count)]].max(axis=1, initial=-np.inf))
        places.append(middles[whole])
        moments.append(np.full(int(whole.sum()), count))
        weight.append(np.full(int(whole.sum()), share))
    return Scored(
        score=np.concatenate(worst),
        song=samples.from_song[rows[np.concatenate(places)]],
        moments=np.concatenate(moments),
        weight=np.concatenate(weight),
    )


def worst_area(
    samples: Samples,
    scores: DoubleArray,
    joins: Scored,
    single: BoolArray,
    track: BoolArray,
    centres: BoolArray,
    seed: int,
) -> Area | None:
    """Return the AUC of joins over untouched music; None when there is nothing of one of them.

    Joins of one window are held against `single` places, `(n,)`, longer ones against as long stretches of
    `track` that are centred on `centres`.
    """
    long = joins.moments[joins.moments > 1]
    places = [worst_of_joins(samples, scores, single)]
    if len(long):
        places.append(worst_of_stretches(samples, scores, track, centres, long))
    return matched_area(joins, Scored.joined_of(places), seed)


def section_changes(samples: Samples, track: BoolArray, borders: BoolArray) -> BoolArray:
    """Return `(n,)`: the strongest changes among the chunk borders of untouched songs, a share of them.

    Novelty as Foote has it (Automatic audio segmentation using a measure of audio novelty, 2000): how far
    the timbre (mean log-mel spectrum) of 6 s before a border is from that of 6 s after it, over how far it
    is within either side. Borders with less music around them are none.
    """
    rows = _in_time(samples, track)
    found = np.zeros(len(samples), dtype=np.bool_)
    if not len(rows):
        return found
    timbre = samples.mel[rows].mean(axis=1, dtype=np.float64)
    at_s, fold = samples.at_s[rows], samples.fold[rows]
    novelty = np.full(len(rows), -np.inf)
    for place in np.flatnonzero(borders[rows]).tolist():
        sides = []
        for away_s in (-NOVELTY_S[1], -NOVELTY_S[0], NOVELTY_S[0], NOVELTY_S[1]):
            own = np.flatnonzero(fold == fold[place])
            near = own[int(np.abs(at_s[own] - at_s[place] - away_s).argmin())]
            if abs(at_s[near] - at_s[place] - away_s) > MOMENT_STEP_S:
                break
            if samples.from_song[rows[near]] != samples.from_song[rows[place]]:
                break
            sides.append(timbre[near])
        if len(sides) == 4:
            across = np.abs(sides[0] + sides[1] - sides[2] - sides[3]).mean() / 2
            within = (np.abs(sides[0] - sides[1]).mean() + np.abs(sides[2] - sides[3]).mean()) / 2
            novelty[place] = across - within
    known = np.flatnonzero(np.isfinite(novelty))
    strongest = known[np.argsort(-novelty[known], kind="stable")][: round(SECTION_SHARE * len(known))]
    found[rows[strongest]] = True
    return found


def _in_time(samples: Samples, chosen: BoolArray) -> IntArray:
    """Return the chosen rows as they are heard, fold by fold."""
    rows = np.flatnonzero(chosen)
    return rows[np.lexsort((samples.at_s[rows], samples.fold[rows]))]


def worst_rows(samples: Samples, scores: DoubleArray, chosen: BoolArray) -> IntArray:
    """Return the row of the worst moment of each join among the chosen windows, one for each join."""
    rows = np.flatnonzero(chosen)
    order = rows[np.lexsort((-scores[rows], samples.transition[rows]))]
    first = np.unique(samples.transition[order], return_index=True)[1]
    found: IntArray = order[first]
    return found
