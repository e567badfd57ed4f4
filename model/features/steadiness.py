"""The steadiness of a side says how much changes from frame to frame beside a cut, in itself and in its echo.

An echo that is copied from one earlier moment moves as the music does; one that is mixed from many, because
nothing comes round, is smooth. So how far to trust a seam distance stands in the sides themselves.
"""

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.base.stored_rows import StoredRows
from model.features.seam import (
    ECHO_BANDS,
    ECHO_FRAMES,
    ECHO_NEAR_FRAMES,
    SEAM_GROUPS,
    SEAM_STEPS_PER_DB,
    SeamSides,
)

STEADINESS_VALUES = 4
"""Of each side: how much its echo changes, near the cut and far, what is there far from it, its spread."""
_FIRST_DB = (0.05, 0.05, 0.05, 0.1)
"""Added before the logarithm, so that silence is a number."""
_SLICE = 256
_ECHO_VALUES = ECHO_FRAMES * ECHO_BANDS
_GROUPS = list(SEAM_GROUPS)
_SPREAD_FROM = sum(list(SEAM_GROUPS.values())[: _GROUPS.index("mel, spread")])
_SPREAD = slice(_SPREAD_FROM, _SPREAD_FROM + SEAM_GROUPS["mel, spread"])


class Steadiness:
    """The steadiness of N chunks, computed where it is asked for and kept: 33 bytes a chunk.

    Any thread may ask: a row is written before it is marked, and always the same.
    """

    def __init__(self, sides: SeamSides) -> None:
        self._sides = sides
        count = len(sides.starts)
        self._values = np.zeros((count, STEADINESS_VALUES), dtype=np.float32)
        self._known = np.zeros(count, dtype=np.bool_)

    def pairs(self, reference: int, candidates: IntArray | None = None) -> FloatArray:
        """Return `(n, 2 * STEADINESS_VALUES)` float32: of the end of `reference`, then of each start.

        candidates: rows; all N when None. `PoolError` where stored rows cannot be read.
        """
        rows = np.arange(len(self._values)) if candidates is None else candidates
        found = np.empty((len(rows), 2 * STEADINESS_VALUES), dtype=np.float32)
        found[:, :STEADINESS_VALUES] = steadiness(self._sides.ends[reference][None], ends=True)
        found[:, STEADINESS_VALUES:] = self._starts(rows)
        return found

    def _starts(self, rows: IntArray) -> FloatArray:
        missing = np.unique(rows[~self._known[rows]])
        for first in range(0, len(missing), _SLICE):
            part = missing[first : first + _SLICE]
            self._values[part] = steadiness(self._sides.starts[part], ends=False)
            self._known[part] = True
        values: FloatArray = self._values[rows]
        return values


def steadiness(sides: npt.NDArray[np.int16] | StoredRows, *, ends: bool) -> FloatArray:
    """Return `(n, STEADINESS_VALUES)` float32, logarithms of dB.

    sides: `(n, SEAM_VALUES)` rows of `SeamSides.ends` or, unless `ends`, of `SeamSides.starts`.
    """
    values = np.asarray(sides)
    after, before = values[:, :_ECHO_VALUES], values[:, _ECHO_VALUES : 2 * _ECHO_VALUES]
    echo, there = (_changes(side) for side in ((after, before) if ends else (before, after)))
    found = np.stack(
        [
            echo[:, :ECHO_NEAR_FRAMES].mean(axis=1),
            echo[:, ECHO_NEAR_FRAMES:].mean(axis=1),
            there[:, ECHO_NEAR_FRAMES:].mean(axis=1),
            values[:, _SPREAD].mean(axis=1, dtype=np.float32) / SEAM_STEPS_PER_DB,
        ],
        axis=1,
    )
    logarithms: FloatArray = np.log(found + np.array(_FIRST_DB, dtype=np.float32))
    return logarithms


def _changes(side: npt.NDArray[np.int16]) -> FloatArray:
    """Return `(n, ECHO_FRAMES - 1)` float32: mean difference in dB from each frame to the next."""
    frames = side.reshape(len(side), ECHO_FRAMES, ECHO_BANDS).astype(np.int32)
    changes: FloatArray = np.abs(np.diff(frames, axis=1)).mean(axis=2, dtype=np.float32)
    return changes / np.float32(SEAM_STEPS_PER_DB)
