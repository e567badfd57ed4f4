"""The fullness of a song at an instant says how loud, and how much sung, the seconds after it are."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from stream.pool.timeline import BANDS_STEP_S, VOICE_STEP_S, SongTimeline

AFTERWARDS_S = 12.0
"""Of an instant, so much after it is looked at: two songs sound together for about as long."""
USUAL_QUANTILE = 0.75
"""A song is as full as it mostly is where it is as loud as a quarter of it is louder than."""


def fullness_db(timeline: SongTimeline, at_s: DoubleArray) -> FloatArray:
    """Return `(n,)` float32: the level from each of `at_s` `(n,)` on, 0 as the song mostly is.

    What lies beyond the song's end counts as silence, so that a song thins out as it ends; nan where the
    levels of the song are not known.
    """
    power = np.power(10.0, timeline.bands_db.astype(np.float64) / 10.0).sum(axis=1)
    if not len(power):
        return np.full(len(at_s), np.nan, dtype=np.float32)
    usual = max(float(np.quantile(power, USUAL_QUANTILE)), 1e-10)
    found = 10.0 * np.log10(_means(power, at_s, BANDS_STEP_S) / usual + 1e-10)
    return found.astype(np.float32)


def voice_share(timeline: SongTimeline, at_s: DoubleArray) -> FloatArray:
    """Return `(n,)` float32: how likely somebody sings from each of `at_s` `(n,)` on; nan where unknown."""
    if not len(timeline.voice):
        return np.full(len(at_s), np.nan, dtype=np.float32)
    return _means(timeline.voice.astype(np.float64), at_s, VOICE_STEP_S).astype(np.float32)


def _means(values: DoubleArray, at_s: DoubleArray, step_s: float) -> DoubleArray:
    steps = round(AFTERWARDS_S / step_s)
    sums = np.concatenate([[0.0], np.cumsum(values), np.full(steps, values.sum())])
    first = np.clip((np.asarray(at_s) / step_s).astype(np.int64), 0, len(values))
    means: DoubleArray = np.maximum((sums[first + steps] - sums[first]) / steps, 0.0)
    return means
