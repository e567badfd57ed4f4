"""The steadiness of a side says how much changes from frame to frame beside a cut, in itself and in its echo.

An echo that is copied from one earlier moment moves as the music does; one that is mixed from many, because
nothing comes round, is smooth, and of no lag that is near. So how far to trust a seam distance stands in the
sides themselves.
"""

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.base.kernels import kernel
from model.base.stored_rows import in_slices
from model.features.seam import (
    BEST_LAG,
    ECHO_BANDS,
    ECHO_FRAMES,
    ECHO_NEAR_FRAMES,
    SEAM_GROUPS,
    SEAM_STEPS_PER_DB,
    SeamSides,
)

STEADINESS_VALUES = 5
"""Of each side: how much its echo changes, near the cut and far, what is there far from it, its spread, and
how far the best lag of its echo is from it."""
_FIRST_DB = np.array((0.05, 0.05, 0.05, 0.1, 0.05), dtype=np.float32)
"""Added before the logarithm, so that silence is a number."""
_ECHO_VALUES = ECHO_FRAMES * ECHO_BANDS
_NEAR_VALUES = ECHO_NEAR_FRAMES * ECHO_BANDS
_CHANGES = _ECHO_VALUES - ECHO_BANDS
"""From each frame of an echo to the next."""
_GROUPS = list(SEAM_GROUPS)
_SPREAD_FROM = sum(list(SEAM_GROUPS.values())[: _GROUPS.index("mel, spread")])
_SPREAD_VALUES = SEAM_GROUPS["mel, spread"]


def distances_and_steadiness(
    sides: SeamSides, reference: int, candidates: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return `SeamSides.distances_db`, and `(n, 2 * STEADINESS_VALUES)`: of the end, then of each start.

    candidates: rows; all N when None. Stored rows are read once. `PoolError` where they cannot be read.
    """
    rows = np.arange(len(sides.starts)) if candidates is None else candidates
    end = sides.ends[reference][None]
    distances_db = np.empty((len(rows), len(SEAM_GROUPS)), dtype=np.float32)
    steady = np.empty((len(rows), 2 * STEADINESS_VALUES), dtype=np.float32)
    steady[:, :STEADINESS_VALUES] = steadiness(end, ends=True)
    for part, starts, places in in_slices(sides.starts, rows):
        distances_db[part] = SeamSides(ends=end, starts=starts).distances_db(0, places)
        steady[part, STEADINESS_VALUES:] = steadiness(starts, places, ends=False)
    return distances_db, steady


def steadiness(sides: npt.NDArray[np.int16], rows: IntArray | None = None, *, ends: bool) -> FloatArray:
    """Return `(n, STEADINESS_VALUES)` float32, logarithms of dB.

    sides: `(N, SEAM_VALUES)` of `SeamSides.ends` or, unless `ends`, of `SeamSides.starts`. rows: all when
    None.
    """
    rows = np.arange(len(sides)) if rows is None else rows
    found = np.empty((len(rows), STEADINESS_VALUES), dtype=np.float32)
    echo_from, there_from = (0, _ECHO_VALUES) if ends else (_ECHO_VALUES, 0)
    _mean_changes(sides, rows, echo_from, there_from, found)
    logarithms: FloatArray = np.log(found + _FIRST_DB)
    return logarithms


@kernel
def _mean_changes(
    sides: npt.NDArray[np.int16], rows: IntArray, echo_from: int, there_from: int, found: FloatArray
) -> None:
    for place in range(len(rows)):
        side = sides[rows[place]]
        echo = side[echo_from : echo_from + _ECHO_VALUES]
        there = side[there_from : there_from + _ECHO_VALUES]
        found[place, 0] = _mean_change(echo, 0, _NEAR_VALUES)
        found[place, 1] = _mean_change(echo, _NEAR_VALUES, _CHANGES)
        found[place, 2] = _mean_change(there, _NEAR_VALUES, _CHANGES)
        spread = np.int32(0)
        for value in side[_SPREAD_FROM : _SPREAD_FROM + _SPREAD_VALUES]:
            spread = np.int32(spread + np.int32(value))
        found[place, 3] = spread / (SEAM_STEPS_PER_DB * _SPREAD_VALUES)
        found[place, 4] = side[BEST_LAG] / SEAM_STEPS_PER_DB


@kernel
def _mean_change(frames: npt.NDArray[np.int16], first: int, stop: int) -> float:
    """Return the mean difference in dB of values `first` to `stop` from those of the frame after."""
    ours, theirs = frames[first:stop], frames[first + ECHO_BANDS : stop + ECHO_BANDS]
    total = np.int32(0)
    for value in range(len(ours)):
        difference = np.int32(np.int32(ours[value]) - np.int32(theirs[value]))
        total = np.int32(total + np.int32(abs(difference)))
    return total / (SEAM_STEPS_PER_DB * (stop - first))
