"""This module measures the power of audio, window by window."""

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowPowers:
    """The power of a song, window by window, as it is and as it is heard."""

    whole: DoubleArray
    """`(windows,)`, as `window_power` has it."""
    heard: DoubleArray
    """The same without the offset where that is nearly all that there is in a window.

    A recording's constant offset goes on where its music is silent, and nobody hears it. What is taken for it
    is the mean of `_OFFSET_WINDOWS` windows around.
    """


def song_powers(audio: SongSamples, window: int) -> WindowPowers:
    """Return the powers of `audio` `(frames, 2)` float32; the last window may be shorter."""
    power = window_power(audio, window)
    if len(power) < _OFFSET_WINDOWS:
        return WindowPowers(whole=power, heard=power)
    means = _channel_means(audio, window)
    around = np.full(_OFFSET_WINDOWS, 1.0 / _OFFSET_WINDOWS)
    reach = _OFFSET_WINDOWS // 2
    offsets = np.stack(
        [np.convolve(np.pad(each, reach, mode="edge"), around, mode="valid") for each in means.T], axis=1
    )
    left = np.maximum(0.0, power - (2.0 * means * offsets - offsets**2).mean(axis=1))
    return WindowPowers(whole=power, heard=np.where(left < _OFFSET_SHARE * power, left, power))


def _channel_means(audio: SongSamples, window: int) -> DoubleArray:
    """Return `(windows, 2)`: the mean of each channel."""
    parts = in_parts(audio, window * PART_WINDOWS)
    return np.concatenate(
        [_means_of_part(np.require(part, np.float32, ("C", "W")).reshape(-1), 2 * window) for part in parts]
    )


@kernel
def _means_of_part(samples: FloatArray, size: int) -> DoubleArray:
    means, lanes = np.zeros((-(-len(samples) // size), 2)), np.empty(_LANES)
    for i in range(len(means)):
        part = samples[i * size : min((i + 1) * size, len(samples))]
        lanes[:] = 0.0
        # As in `_mean_squares`; even lanes are the left channel's, as even samples are.
        whole = len(part) - len(part) % _LANES
        for first in range(0, whole, _LANES):
            row = part[first : first + _LANES]
            for lane in range(_LANES):
                lanes[lane] += np.float64(row[lane])
        for lane in range(_LANES):
            means[i, lane % 2] += lanes[lane]
        for sample in range(whole, len(part)):
            means[i, sample % 2] += np.float64(part[sample])
        for channel in range(2):
            means[i, channel] *= 2.0 / len(part)
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
