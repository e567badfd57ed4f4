"""This module finds the best of many scores in order, and the rank of one."""

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.kernels import kernel

LEAST_ROOM = 4_096
"""At least this many rows are collected before the worse ones are sorted out."""
_LOOKED_AT = 16
"""Of so many scores it is asked at once whether any counts, which is one of vectors."""
FEW = 32
"""At most this many are kept in order without a buffer, while the scores are gone through."""


def top(scores: FloatArray, mask: BoolArray, count: int) -> IntArray:
    """Return the rows of the `count` highest scores where `mask` holds, best first; ties by lower row.

    scores: `(N,)` float32 without NaN; mask: `(N,)` bool. Fewer rows come back when fewer are allowed.
    Linear in `N`, whatever the order of the scores is and however large `count` is.
    """
    if scores.shape != mask.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and mask {mask.shape} must be of one length")
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1")
    # Copies what is read-only (rows that a scorer keeps), so that the kernel is compiled once.
    scores, mask = np.require(scores, np.float32, ["C", "W"]), np.require(mask, np.bool_, ["C", "W"])
    if count <= FEW:
        return _few(scores, mask, count)
    # Collected is what beats the best so far, in order: of equal scores, the lower rows come first.
    room = min(max(2 * count, LEAST_ROOM), len(scores))
    rows, values = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.float32)
    least, filled, row = np.float32(-np.inf), 0, 0
    while row < len(scores):
        row, filled = _collect(scores, mask, least, row, rows, values, filled)
        if filled > count:
            least = np.partition(values[:filled], filled - count)[filled - count]
            keep = values[:filled] > least
            keep[np.flatnonzero(values[:filled] == least)[: count - np.count_nonzero(keep)]] = True
            rows[:count], values[:count] = rows[:filled][keep], values[:filled][keep]
            filled = count
    ranked: IntArray = rows[:filled][np.argsort(-values[:filled], kind="stable")]
    return ranked


def rank_of(scores: FloatArray, mask: BoolArray, row: int) -> int:
    """Return the rank of `row` among the allowed rows: 1 is the best score."""
    return int(np.count_nonzero(mask & (scores > scores[row]))) + 1


@kernel
def _few(scores: FloatArray, mask: BoolArray, count: int) -> IntArray:
    rows = np.empty(count, dtype=np.int64)
    filled = 0
    for row in range(len(scores)):
        if not mask[row] or (filled == count and scores[row] <= scores[rows[count - 1]]):
            continue
        place = filled if filled < count else count - 1
        while place > 0 and scores[rows[place - 1]] < scores[row]:
            rows[place] = rows[place - 1]
            place -= 1
        rows[place] = row
        filled = min(filled + 1, count)
    return rows[:filled]


@kernel
def _collect(
    scores: FloatArray,
    mask: BoolArray,
    least: np.float32,
    row: int,
    rows: IntArray,
    values: FloatArray,
    filled: int,
) -> tuple[int, int]:
    """Append allowed rows above `least` until there is no more room; return where it stopped, and the count.

    A `least` of minus infinity says that nothing has been sorted out yet and takes all.
    """
    everything = least == -np.inf
    while row < len(scores) and filled < len(rows):
        stop = min(row + _LOOKED_AT, len(scores))
        above = 0
        for place in range(row, stop):
            above += scores[place] > least
        if not (above or everything):
            row = stop
            continue
        while row < stop and filled < len(rows):
            if mask[row] and (scores[row] > least or everything):
                rows[filled] = row
                values[filled] = scores[row]
                filled += 1
            row += 1
    return row, filled
