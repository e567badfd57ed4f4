"""Moments are the places of a transition at which a window is listened to."""

from math import ceil

import numpy as np

from model.base.arrays import IntArray
from tools.quality.joins.boundaries import Boundary

MOMENT_STEP_S = 0.75
"""Windows that slide are at most so far apart."""


def moments_of(place: Boundary, half_s: float, rate_hz: int) -> IntArray:
    """Return `(moments,)` int64: the middles of the windows that a join is listened to by.

    They are frames from its centre on. One window, `half_s` to either side, holds a fade that is no longer
    than `half_s`; over a longer one it slides, from where the fade begins to where it ends.
    """
    if place.fade_frames <= half_s * rate_hz:
        return np.zeros(1, dtype=np.int64)
    parts = ceil(place.fade_frames / (MOMENT_STEP_S * rate_hz))
    return np.rint(np.linspace(-place.before_frames, place.after_frames, parts + 1)).astype(np.int64)


def places_between(length_frames: int, rate_hz: int) -> IntArray:
    """Return `(n,)` int64, n odd: frames after a border at which an untouched chunk is listened to.

    They divide it evenly, and the one in their middle is the chunk's own.
    """
    parts = 2 * max(1, ceil(length_frames / (2 * MOMENT_STEP_S * rate_hz)))
    return np.rint(np.linspace(0, length_frames, parts + 1)[1:-1]).astype(np.int64)
