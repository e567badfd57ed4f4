"""This module measures the power of audio, window by window."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from stream.audio.samples import SongSamples, in_parts

PART_WINDOWS = 1 << 14
"""This many windows are looked at at a time."""
_LANES = 64
_OFFSET_WINDOWS = 9
"""Of 10 ms: what is constant for so long is no tone that anybody hears."""
_OFFSET_SHARE = 0.1
"""Where more than this is left without it, it is not looked at."""


def window_power(audio: SongSamples, window: int) -> DoubleArray:
    """Return the mean square of each window of `audio` `(frames, channels)` float32, over all channels.

    In double precision: a long chunk's sum of squares outgrows float32. The last window may be shorter.
    """
    return np.concatenate(
        [np.empty(0), *(_of_part(part, window) for part in in_parts(audio, window * PART_WINDOWS))]
    )


def heard_power(audio: SongSamples, window: int) -> DoubleArray:
    """Return `window_power`, without the offset where that is nearly all that there is in a window.

    A recording's constant offset goes on where its music is silent, and nobody hears it. What is taken for it
    is the mean of `_OFFSET_WINDOWS` windows around.
    """
    power = window_power(audio, window)
    if len(power) < _OFFSET_WINDOWS:
        return power
    means = _window_means(audio, window)
    around = np.full(_OFFSET_WINDOWS, 1.0 / _OFFSET_WINDOWS)
    reach = _OFFSET_WINDOWS // 2
    offsets = np.stack(
        [np.convolve(np.pad(each, reach, mode="edge"), around, mode="valid") for each in means.T], axis=1
    )
    heard = np.maximum(0.0, power - (2.0 * means * offsets - offsets**2).mean(axis=1))
    return np.where(heard < _OFFSET_SHARE * power, heard, power)


def _window_means(audio: SongSamples, window: int) -> DoubleArray:
    """Return the mean of each window, `(windows, channels)`."""
    parts = in_parts(audio, window * PART_WINDOWS)
    return np.concatenate(
        [
            np.empty((0, audio.shape[1])),
            *(_part_means(np.require(part, np.float32, ("C", "W")), window) for part in parts),
        ]
    )


@kernel
def _part_means(samples: FloatArray, window: int) -> DoubleArray:
    frames, channels = samples.shape
    means = np.zeros((-(-frames // window), channels))
    for i in range(len(means)):
        stop = min((i + 1) * window, frames)
        for channel in range(channels):
            total = 0.0
            for frame in range(i * window, stop):
                total += np.float64(samples[frame, channel])
            means[i, channel] = total / (stop - i * window)
    return means


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
