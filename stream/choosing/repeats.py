"""The repeat rules say which chunks are too recent to be played, and which songs and chunks are due."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray, RowArray
from model.base.kernels import kernel
from stream.choosing.history import Course
from stream.choosing.phrases import NOWHERE, Phrases
from stream.choosing.weighing.weights import CostWeights
from stream.index.edge_index import NEVER

MOST_SHARES = 2.3
"""A chunk is left out as soon as it was played this many times as often as the mean, and `GRACE_PLAYS`."""
GRACE_PLAYS = 1.5
_LEAST_SHARE = 4
"""When everything was played lately, the least recent one in this many comes back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entries:
    """Where a phrase may begin, as things stand.

    blocked: `(N,)` bool, chunks that may not be played now. allowed: `(N,)` bool, chunks to begin with.
    """

    blocked: BoolArray
    allowed: BoolArray
    mean_plays: float
    """How often each chunk was played that is not left out, in the mean."""
    reasons: tuple[str, ...] = ()


def entries(course: Course, phrases: Phrases, left_out: BoolArray, *, window: int, after: int) -> Entries:
    """Return which chunks may follow chunk `after`; left_out: `(N,)`, those that are not to be chosen.

    A chunk does not come back within `window` steps, nor far more often than the others, and a phrase begins
    only where it can last. When no chunk is left the rules give way, one after the other.
    """
    total, count = course.steps, int(np.count_nonzero(~left_out))
    if 0 < count < len(left_out):
        total = int(course.plays[~left_out].sum())
    else:
        count = len(left_out)
    mean_plays = total / count
    most_plays = MOST_SHARES * total / count + GRACE_PLAYS
    blocked = _blocked(course.last_played, course.plays, course.steps - 1, window, most_plays, left_out)
    blocked[after] = True
    allowed = _lasting(blocked, phrases.first_exit, phrases.entry)
    if allowed.any():
        return Entries(blocked=blocked, allowed=allowed, mean_plays=mean_plays)
    if (~blocked & phrases.entry).any():
        return Entries(
            blocked=blocked,
            allowed=~blocked & phrases.entry,
            mean_plays=mean_plays,
            reasons=("no phrase can last long enough",),
        )
    others = np.flatnonzero(~left_out & phrases.entry)
    if len(others) > 1:
        others = others[others != after]
    oldest = others[np.argsort(course.last_played[others], kind="stable")]
    allowed[oldest[: max(1, len(others) // _LEAST_SHARE)]] = True
    reason = "everything was played lately: the least recent come back"
    return Entries(blocked=blocked, allowed=allowed, mean_plays=mean_plays, reasons=(reason,))


def coverage(
    course: Course,
    phrases: Phrases,
    weights: CostWeights,
    mean_plays: float | None = None,
    rows: IntArray | None = None,
) -> FloatArray:
    """Return `(n,)` float32 in log-odds: below 0 for a phrase that was played more often than others.

    rows: `(n,)`, with which chunks these phrases begin; None: all `N`.

    Counted is what is played at least when it begins there; `coverage` for each factor e, at most
    `coverage_most`. On top of that `due` for each time that it was played less often than the mean, but for
    the first: without bound, so that whatever speaks against a song, it comes round.
    """
    return _coverage(
        np.arange(len(course.plays)) if rows is None else rows,
        course.plays,
        phrases.first_exit,
        course.steps / len(course.plays) if mean_plays is None else mean_plays,
        weights.coverage,
        weights.coverage_most,
        weights.due,
    )


@kernel
def _blocked(
    last_played: IntArray, plays: IntArray, now: int, window: int, most_plays: float, banned: BoolArray
) -> BoolArray:
    blocked = np.empty(len(banned), dtype=np.bool_)
    for row in range(len(banned)):
        recent = last_played[row] != NEVER and now - last_played[row] <= window
        blocked[row] = banned[row] or recent or plays[row] + 1 > most_plays
    return blocked


@kernel
def _lasting(blocked: BoolArray, first_exit: RowArray, entry: BoolArray) -> BoolArray:
    """Return where a phrase may begin, and nothing until its first exit is blocked."""
    allowed = np.empty(len(blocked), dtype=np.bool_)
    next_blocked = len(blocked)
    for row in range(len(blocked) - 1, -1, -1):
        if blocked[row]:
            next_blocked = row
        allowed[row] = entry[row] & (first_exit[row] != NOWHERE) & (first_exit[row] < next_blocked)
    return allowed


@kernel
def _coverage(
    rows: IntArray,
    plays: IntArray,
    first_exit: IntArray,
    mean: float,
    weight: float,
    most: float,
    due: float,
) -> FloatArray:
    result = np.empty(len(rows), dtype=np.float32)
    # Of a large pool most was never played: one value for all of that.
    ratio = 1.0 / (mean + 1.0)
    never = np.float32(max(-most, min(most, -weight * np.log(ratio))) + due * max(0.0, mean - 1.0))
    for place in range(len(rows)):
        row = rows[place]
        last = max(row, np.int64(first_exit[row]))
        total = 0
        for heard in range(row, last + 1):
            total += plays[heard]
        if total == 0:
            result[place] = never
            continue
        own = total / (last - row + 1)
        ratio = (own + 1.0) / (mean + 1.0)
        missing = max(0.0, mean - own - 1.0)
        result[place] = max(-most, min(most, -weight * np.log(ratio))) + due * missing
    return result
