"""This module turns over a channel that is out of phase, so that the sum of both is the music."""

from collections.abc import Iterable

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from model.base.prefetching import prefetch_row

_SIDE_DB = 10.0
"""So much louder than the middle the side is where channels are out of phase; in a wide mix it is not."""
_LANES = 256
_LINE_FRAMES = 8
"""So many are fetched from memory at once."""
_FRAMES_AHEAD = 256


def in_phase(audio: FloatArray) -> FloatArray:
    """Return audio, `(frames, 2)`, to be analysed: as it is, or with its second channel turned over.

    Whoever looks at the middle of what is returned looks at the louder of middle and side. Never for what is
    played.
    """
    return turned(audio) if out_of_phase([audio]) else audio


def turned(audio: FloatArray) -> FloatArray:
    """Return `(frames, 2)` float32 with its second channel turned over: its middle is the side."""
    return audio * np.array([1.0, -1.0], dtype=np.float32)


def middle(audio: FloatArray, *, side: bool = False) -> FloatArray:
    """Return `(frames,)` float32: the mean of both channels of `audio` `(frames, 2)`; `side`: of `turned`."""
    return _weighted_mean(_plain(audio), np.float32(-0.5 if side else 0.5))


def out_of_phase(parts: Iterable[FloatArray]) -> bool:
    """Whether the middle of audio, given in parts `(n, 2)`, is all but silent and its side is not."""
    return louder_side(phase_energies(parts))


def louder_side(energies: DoubleArray) -> bool:
    """Whether these `phase_energies` are those of channels that are out of phase."""
    return bool(energies[1] > energies[0] * 10 ** (_SIDE_DB / 10))


def phase_energies(parts: Iterable[FloatArray]) -> DoubleArray:
    """Return `(2,)`: the energies, sums of squares, of middle and side of audio, given in parts `(n, 2)`."""
    energies = np.zeros(2)
    for part in parts:
        energies += _energies(_plain(part).reshape(-1))
    return energies / 4.0


def _plain(audio: FloatArray) -> FloatArray:
    """Return audio as every call of a kernel has it, so that each is compiled once."""
    return np.require(audio, np.float32, ("C", "W"))


@kernel
def _weighted_mean(audio: FloatArray, second: np.float32) -> FloatArray:
    mono = np.empty(len(audio), dtype=np.float32)
    half, whole = np.float32(0.5), len(audio) - len(audio) % _LINE_FRAMES
    for first in range(0, whole, _LINE_FRAMES):
        prefetch_row(audio, first + _FRAMES_AHEAD)
        for frame in range(first, first + _LINE_FRAMES):
            mono[frame] = half * audio[frame, 0] + second * audio[frame, 1]
    for frame in range(whole, len(audio)):
        mono[frame] = half * audio[frame, 0] + second * audio[frame, 1]
    return mono


@kernel
def _energies(samples: FloatArray) -> DoubleArray:
    """Return the energies of middle and side, four times each, of frames in C order, in double precision."""
    # A vector of sums over many frames in a row: one sum alone would wait for itself.
    squares, products = np.zeros(2 * _LANES), np.zeros(_LANES)
    whole = len(samples) - len(samples) % (2 * _LANES)
    for first in range(0, whole, 2 * _LANES):
        part = samples[first : first + 2 * _LANES]
        for lane in range(2 * _LANES):
            squares[lane] += np.float64(part[lane]) * np.float64(part[lane])
        for lane in range(_LANES):
            products[lane] += np.float64(part[2 * lane]) * np.float64(part[2 * lane + 1])
    for first in range(whole, len(samples), 2):
        left, right = np.float64(samples[first]), np.float64(samples[first + 1])
        squares[0] += left * left + right * right
        products[0] += left * right
    both, twice = squares.sum(), 2.0 * products.sum()
    return np.array([max(0.0, both + twice), max(0.0, both - twice)])
