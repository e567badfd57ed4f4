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
    parts = [np.empty((0, 3))]
    for part in in_parts(audio, window * PART_WINDOWS):
        parts.append(_squares_and_means(np.require(part, np.float32, ("C", "W")).reshape(-1), 2 * window))
    found = np.concatenate(parts)
    power, means = found[:, 0].copy(), found[:, 1:]
    if len(power) < _OFFSET_WINDOWS:
        return WindowPowers(whole=power, heard=power)
    around = np.full(_OFFSET_WINDOWS, 1.0 / _OFFSET_WINDOWS)
    reach = _OFFSET_WINDOWS // 2
    offsets = np.stack(
        [np.convolve(np.pad(each, reach, mode="edge"), around, mode="valid") for each in means.T], axis=1
    )
    left = np.maximum(0.0, power - (2.0 * means * offsets - offsets**2).mean(axis=1))
    return WindowPowers(whole=power, heard=np.where(left < _OFFSET_SHARE * power, left, power))


@kernel
def _squares_and_means(samples: FloatArray, size: int) -> DoubleArray:
    """Return `(windows, 3)`: mean square, mean of the left channel, mean of the right one."""
    found, lanes, sums = np.empty((-(-len(samples) // size), 3)), np.empty(_LANES), np.empty(_LANES)
    for i in range(len(found)):
        part = samples[i * size : min((i + 1) * size, len(samples))]
        lanes[:] = 0.0
        sums[:] = 0.0
        # As in `_mean_squares`; even lanes are the left channel's.
        whole = len(part) - len(part) % _LANES
        for first in range(0, whole, _LANES):
            row = part[first : first + _LANES]
            for lane in range(_LANES):
                lanes[lane] += np.float64(row[lane]) * np.float64(row[lane])
                sums[lane] += np.float64(row[lane])
        total, left, right = 0.0, 0.0, 0.0
        for lane in range(_LANES):
            total += lanes[lane]
        for lane in range(0, _LANES, 2):
            left += sums[lane]
            right += sums[lane + 1]
        for sample in range(whole, len(part)):
            total += np.float64(part[sample]) * np.float64(part[sample])
        for sample in range(whole, len(part), 2):
            left += np.float64(part[sample])
            right += np.float64(part[sample + 1])
        found[i, 0] = total / len(part)
        found[i, 1] = 2.0 * left / len(part)
        found[i, 2] = 2.0 * right / len(part)
    return found


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
