"""K-weighting filters audio as BS.1770 hears it, and sums up its energy from place to place."""

import math
from functools import cache

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from stream.audio.samples import SongSamples

FILTERED_FRAMES = 1 << 20
SPANS = 16
"""So many are filtered side by side: of one alone each step waits for the one before."""
_SETTLING_S = 0.2
"""After so long nothing is left of what came before that double precision knows: e to the power of -48."""
_STEPS = 64
_VALUES = 2 * SPANS
_DEAD = 1e-100
_LANES = 64
_SHELF_HZ, _SHELF_Q = 1681.9744509555319, 0.7071752369554193
_HIGH_GAIN, _BAND_POWER = 10 ** (3.99984385397 / 20), 0.499666774155
"""The shelf: what is above its corner is louder by 4 dB, as a head makes it."""
_PASS_HZ, _PASS_Q = 38.13547087613982, 0.5003270373253953


def weighted_energies(audio: SongSamples, sample_rate_hz: int, bounds: IntArray) -> DoubleArray:
    """Return `(n,)` float64: the energy of both channels of K-weighted audio from each bound to the next.

    audio: `(frames, 2)` float32, with silence before it (ITU-R BS.1770-4, annex 1); bounds: `(n + 1,)` int64,
    not falling, within it.
    """
    energies, settling = np.zeros(max(0, len(bounds) - 1)), round(_SETTLING_S * sample_rate_hz)
    for start in range(0, len(audio), FILTERED_FRAMES):
        lead, stop = min(settling, start), min(len(audio), start + FILTERED_FRAMES)
        steps = -(-(stop - start) // SPANS)
        begins = lead + steps * np.arange(SPANS)
        squares = weighted_squares(audio[start - lead : stop], sample_rate_hz, begins, settling, steps)
        _add_energies(squares.reshape(-1), np.clip(bounds - start, 0, stop - start), energies)
    return energies


def weighted_squares(
    audio: FloatArray, sample_rate_hz: int, begins: IntArray, settling: int, steps: int
) -> DoubleArray:
    """Return `(SPANS, steps)` float64: the squares of K-weighted audio from each of `begins` on.

    audio: `(frames, 2)` float32, silence around it, whose channels are summed up; begins: `(SPANS,)` int64.
    The filters begin `settling` frames before each.
    """
    squares = np.empty((SPANS, steps))
    plain = np.require(audio, np.float32, ("C", "W")).reshape(-1)
    _fill_squares(plain, begins, settling, _filters(sample_rate_hz), squares)
    return squares


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
def _fill_squares(
    samples: FloatArray, begins: IntArray, settling: int, filters: DoubleArray, squares: DoubleArray
) -> None:
    """Filter all spans side by side, some steps at a time.

    The second transposed direct form, with the output put into the recursion: so a state waits for one
    product and one sum of the state before, and no more.
    """
    (p0, p1, p2, p3, p4), (q0, q1, q2, q3, q4) = filters[0], filters[1]
    state, block = np.zeros(4 * _VALUES), np.empty((_STEPS, _VALUES))
    for first in range(-settling, squares.shape[1], _STEPS):
        for span in range(SPANS):
            _lay_out(samples, begins[span] + first, block, 2 * span)
        for step in range(_STEPS):
            row = block[step]
            for value in range(_VALUES):
                x, a, b = row[value], state[value], state[_VALUES + value]
                c, d = state[2 * _VALUES + value], state[3 * _VALUES + value]
                y = p0 * x + a
                z = q0 * y + c
                row[value] = z * z
                state[value] = (p1 * x + b) - p3 * a
                state[_VALUES + value] = p2 * x - p4 * a
                state[2 * _VALUES + value] = (q1 * y + d) - q3 * c
                state[3 * _VALUES + value] = q2 * y - q4 * c
        # What has died away would be counted on in denormal numbers, which take a hundred times as long.
        for place in range(len(state)):
            state[place] = state[place] if abs(state[place]) > _DEAD else 0.0
        for span in range(SPANS):
            for step in range(max(0, -first), min(_STEPS, squares.shape[1] - first)):
                squares[span, first + step] = block[step, 2 * span] + block[step, 2 * span + 1]


@kernel
def _lay_out(samples: FloatArray, begin: int, block: DoubleArray, column: int) -> None:
    """Write frames from `begin` on into two columns of a block; what is not there is silence."""
    first = min(len(block), max(0, -begin))
    last = max(first, min(len(block), len(samples) // 2 - begin))
    for step in range(first):
        block[step, column] = block[step, column + 1] = 0.0
    for step in range(first, last):
        at = np.uint64(2 * (begin + step))
        block[step, column] = np.float64(samples[at])
        block[step, column + 1] = np.float64(samples[at + np.uint64(1)])
    for step in range(last, len(block)):
        block[step, column] = block[step, column + 1] = 0.0


@kernel
def _add_energies(squares: DoubleArray, bounds: IntArray, energies: DoubleArray) -> None:
    lanes = np.empty(_LANES)
    for place in range(len(energies)):
        start, stop = bounds[place], bounds[place + 1]
        whole = start + (stop - start) // _LANES * _LANES
        lanes[:] = 0.0
        for first in range(start, whole, _LANES):
            row = squares[first : first + _LANES]
            for lane in range(_LANES):
                lanes[lane] += row[lane]
        energies[place] += lanes.sum() + squares[whole:stop].sum()
