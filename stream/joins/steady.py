"""A fade of seconds begins and ends in steady places, where a song is as loud as the music around it.

A song that has just fallen silent, or takes a breath, is not left there for one that sounds in full.
"""

from typing import Literal

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from stream.joins.levels import k_weighted_power
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES

MOMENT_S, USUAL_S = 0.4, 3.0
"""The level of this moment beside a place is held against that of these seconds."""
STEADY_LU = 1.0
"""What differs by no more is as loud."""


def frames_to_steady(
    audio: FloatArray, room_frames: int, side: Literal["before", "after"], rate_hz: int
) -> int:
    """Return how much sooner than the last place of `(frames, 2)` float32 the last steady one is.

    At most `room_frames`; the steadiest where none is steady. side: on which side of a place its music is.
    The last place is the end of `audio`, or `USUAL_S` before it where the music is after it; `USUAL_S` of
    music go with the first one, too.
    """
    power = k_weighted_power(audio, rate_hz, SURROUNDINGS_HOP_FRAMES)
    moment, usual = (round(span_s * rate_hz) // SURROUNDINGS_HOP_FRAMES for span_s in (MOMENT_S, USUAL_S))
    sums = np.concatenate([[0.0], np.cumsum(power)])
    sooner = np.arange(room_frames // SURROUNDINGS_HOP_FRAMES + 1)
    starts = len(power) - sooner - (usual if side == "after" else moment)
    levels_db = _db((sums[starts + moment] - sums[starts]) / moment)
    off_db = np.abs(levels_db - _db(power[-usual:].mean()))
    steady = np.flatnonzero(off_db <= STEADY_LU)
    return int(steady[0] if len(steady) else off_db.argmin()) * SURROUNDINGS_HOP_FRAMES


def _db(power: DoubleArray) -> DoubleArray:
    # A difference of sums may be a hair below nothing.
    level_db: DoubleArray = 10.0 * np.log10(np.maximum(power, 0.0) + 1e-10)
    return level_db
