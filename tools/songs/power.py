"""This module measures the power of audio, window by window."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from stream.audio.samples import SongSamples, in_parts

PART_WINDOWS = 1 << 14
"""This many windows are looked at at a time."""
_LANES = 64


def window_power(audio: SongSamples, window: int) -> DoubleArray:
    """Return the mean square of each window of `audio` `(frames, channels)` float32, over all channels.

    In double precision: a long chunk's sum of squares outgrows float32. The last window may be shorter.
    """
    return np.concatenate(
        [np.empty(0), *(_of_part(part, window) for part in in_parts(audio, window * PART_WINDOWS))]
    )


def _of_part(part: FloatArray, window: int) -> DoubleArray:
    plain = np.require(part, np.float32, ("C", "W"))
    return _mean_squares(plain.reshape(-1), window * plain.shape[1])


@kernel
def _mean_squares(samples: FloatArray, size: int) -> DoubleArray:
    power, lanes = np.empty(-(-len(samples) // size)), np.empty(_LANES)
    for i in range(len(power)):
        part = samples[i * size : min((i + 1) * size, len(samples))]
        lanes[:] = 0.0
        # Sums of their own for many samples in a row: one alone would wait for itself.
        whole = len(part) - len(part) % _LANES
        for first in range(0, whole, _LANES):
            row = part[first : first + _LANES]
            for lane in range(_LANES):
                lanes[lane] += np.float64(row[lane]) * np.float64(row[lane])
        total = 0.0
        for lane in range(_LANES):
            total += lanes[lane]
        for sample in range(whole, len(part)):
            total += np.float64(part[sample]) * np.float64(part[sample])
        power[i] = total / len(part)
    return power
