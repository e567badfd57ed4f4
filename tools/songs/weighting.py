"""K-weighting filters audio as BS.1770 hears it, and sums up its energy from place to place."""

import math
from functools import cache

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from stream.audio.samples import SongSamples, in_parts

FILTERED_FRAMES = 1 << 20
_DEAD = 1e-100
_SHELF_HZ, _SHELF_Q = 1681.9744509555319, 0.7071752369554193
_HIGH_GAIN, _BAND_POWER = 10 ** (3.99984385397 / 20), 0.499666774155
"""The shelf: what is above its corner is louder by 4 dB, as a head makes it."""
_PASS_HZ, _PASS_Q = 38.13547087613982, 0.5003270373253953


def weighted_energies(audio: SongSamples, sample_rate_hz: int, bounds: IntArray) -> DoubleArray:
    """Return `(n,)` float64: the energy of both channels of K-weighted audio from each bound to the next.

    audio: `(frames, 2)` float32, filtered from its first frame on (ITU-R BS.1770-4, annex 1); bounds:
    `(n + 1,)` int64, not falling, within it.
    """
    energies, state = np.zeros(max(0, len(bounds) - 1)), np.zeros((2, 2, 2))
    for number, part in enumerate(in_parts(audio, FILTERED_FRAMES)):
        start = number * FILTERED_FRAMES
        plain = np.require(part, np.float32, ("C", "W"))
        _add_energies(plain, _filters(sample_rate_hz), state, np.clip(bounds - start, 0, len(part)), energies)
    return energies


@cache
def _filters(sample_rate_hz: int) -> DoubleArray:
    """Return `(2, 5)`: `b0, b1 - a1 b0, b2 - a2 b0, a1, a2` of the shelf and of the high-pass filter."""
    # The analogue prototypes behind the standard's tables, transformed bilinearly: the same response at every
    # rate (Brecht De Man, Evaluation of Implementations of the EBU R128 Loudness Measurement, AES 2018).
    k, band, high = _prewarped(_SHELF_HZ, sample_rate_hz), _HIGH_GAIN**_BAND_POWER, _HIGH_GAIN
    a0, a1, a2 = _poles(k, _SHELF_Q)
    numerator = (high + band * k / _SHELF_Q + k * k, 2 * (k * k - high), high - band * k / _SHELF_Q + k * k)
    b0, b1, b2 = (value / a0 for value in numerator)
    k = _prewarped(_PASS_HZ, sample_rate_hz)
    stages = [((b0, b1, b2), (a1, a2)), ((1.0, -2.0, 1.0), _poles(k, _PASS_Q)[1:])]
    return np.array([[b0, b1 - a1 * b0, b2 - a2 * b0, a1, a2] for (b0, b1, b2), (a1, a2) in stages])


def _prewarped(frequency_hz: float, sample_rate_hz: int) -> float:
    return math.tan(math.pi * frequency_hz / sample_rate_hz)


def _poles(k: float, q: float) -> tuple[float, float, float]:
    """Return `a0`, and `a1` and `a2` divided by it."""
    a0 = 1 + k / q + k * k
    return a0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0


@kernel
def _add_energies(
    audio: FloatArray, filters: DoubleArray, state: DoubleArray, bounds: IntArray, energies: DoubleArray
) -> None:
    """Add to the energies what `audio` has of them; state: `(stage, 2, channel)`, taken and left.

    The second transposed direct form, with the output put into the recursion: so a state waits for one
    product and one sum of the state before, and no more.
    """
    (p0, p1, p2, p3, p4), (q0, q1, q2, q3, q4) = filters[0], filters[1]
    (a0, a1), (b0, b1) = state[0]
    (c0, c1), (d0, d1) = state[1]
    began = 0
    for place in range(len(bounds)):
        total0, total1 = 0.0, 0.0
        for frame in range(began, bounds[place]):
            x0, x1 = np.float64(audio[frame, 0]), np.float64(audio[frame, 1])
            y0, y1 = p0 * x0 + a0, p0 * x1 + a1
            a0, b0, a1, b1 = (
                (p1 * x0 + b0) - p3 * a0,
                p2 * x0 - p4 * a0,
                (p1 * x1 + b1) - p3 * a1,
                p2 * x1 - p4 * a1,
            )
            z0, z1 = q0 * y0 + c0, q0 * y1 + c1
            c0, d0, c1, d1 = (
                (q1 * y0 + d0) - q3 * c0,
                q2 * y0 - q4 * c0,
                (q1 * y1 + d1) - q3 * c1,
                q2 * y1 - q4 * c1,
            )
            total0 += z0 * z0
            total1 += z1 * z1
        began = bounds[place]
        if place:
            energies[place - 1] += total0 + total1
        # What has died away would be counted on in denormal numbers, which take a hundred times as long.
        if abs(a0) + abs(a1) + abs(b0) + abs(b1) + abs(c0) + abs(c1) + abs(d0) + abs(d1) < _DEAD:
            a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = 0.0
    state[0, 0], state[0, 1] = (a0, a1), (b0, b1)
    state[1, 0], state[1, 1] = (c0, c1), (d0, d1)
