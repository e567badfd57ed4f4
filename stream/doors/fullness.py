"""The fullness of a song at an instant says how loud, how much sung and how steady what follows is."""

from itertools import chain

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from model.base.arrays import DoubleArray, FloatArray
from stream.doors.side import CUT_EARLY_S, SURE_BEAT
from stream.pool.timeline import BANDS_STEP_S, VOICE_STEP_S, SongTimeline

AFTERWARDS_S = 12.0
"""Of an instant, so much after it is looked at: two songs sound together for about as long."""
BARS_AHEAD = 16
UNSTEADY = 0.35
"""A step from beat to beat that is off by such a share ends a row of beats."""
_NEAR = 8
"""A step is as long as is usual among so many before and after it."""


def fullness_db(timeline: SongTimeline, at_s: DoubleArray) -> FloatArray:
    """Return `(n,)` float32: the level from each of `at_s` `(n,)` on, 0 as the song mostly is.

    What lies beyond the song's end counts as silence, so that a song thins out as it ends; nan where the
    levels of the song are not known.
    """
    if not len(timeline.power):
        return np.full(len(at_s), np.nan, dtype=np.float32)
    found = 10.0 * np.log10(_means(timeline.power, at_s, BANDS_STEP_S) / timeline.usual_power + 1e-10)
    return found.astype(np.float32)


def voice_share(timeline: SongTimeline, at_s: DoubleArray) -> FloatArray:
    """Return `(n,)` float32: how likely somebody sings from each of `at_s` `(n,)` on; nan where unknown."""
    if not len(timeline.voice):
        return np.full(len(at_s), np.nan, dtype=np.float32)
    return _means(timeline.voice.astype(np.float64), at_s, VOICE_STEP_S).astype(np.float32)


def bars_ahead(timeline: SongTimeline, at_s: DoubleArray) -> FloatArray:
    """Return `(n,)` float32: whole bars of sure and steady beats from each of `at_s` `(n,)` on.

    Four beats count as a bar where bars are not known. `BARS_AHEAD` is the most.
    """
    times_s, metres = timeline.beats_s, timeline.beats_per_bar.astype(np.int64)
    if len(times_s) < 2:
        return np.zeros(len(at_s), dtype=np.float32)
    steps_s = np.diff(times_s)
    usual_s = _usual(steps_s)
    sure = timeline.beat_confidence >= SURE_BEAT
    joined = sure[:-1] & sure[1:] & (metres[:-1] == metres[1:]) & (np.abs(steps_s / usual_s - 1.0) < UNSTEADY)
    # Of each beat the last one of its row.
    broken = np.append(np.flatnonzero(~joined), len(times_s) - 1)
    ends = broken[np.searchsorted(broken, np.arange(len(times_s)))]
    first = np.searchsorted(times_s, np.asarray(at_s) - CUT_EARLY_S)
    there = np.minimum(first, len(times_s) - 1)
    beats = np.where((first < len(times_s)) & sure[there], ends[there] - there, 0)
    bars = beats // np.where(metres[there] > 0, metres[there], 4)
    most: FloatArray = np.minimum(bars, BARS_AHEAD).astype(np.float32)
    return most


def _usual(steps_s: DoubleArray) -> DoubleArray:
    """Return `(n,)`: the median of each step and the `_NEAR` before and after it; at the ends of fewer."""
    usual_s = np.empty(len(steps_s))
    first, stop = _NEAR, len(steps_s) - _NEAR
    for n in chain(range(min(first, len(steps_s))), range(max(first, stop), len(steps_s))):
        usual_s[n] = np.median(steps_s[max(0, n - _NEAR) : n + _NEAR + 1])
    if first < stop:
        # At once: NumPy takes as long to begin with one median as to find ten.
        usual_s[first:stop] = np.median(sliding_window_view(steps_s, 2 * _NEAR + 1), axis=1)
    return usual_s


def _means(values: DoubleArray, at_s: DoubleArray, step_s: float) -> DoubleArray:
    steps = round(AFTERWARDS_S / step_s)
    sums = np.concatenate([[0.0], np.cumsum(values), np.full(steps, values.sum())])
    first = np.clip((np.asarray(at_s) / step_s).astype(np.int64), 0, len(values))
    means: DoubleArray = np.maximum((sums[first + steps] - sums[first]) / steps, 0.0)
    return means
