"""This module turns over a channel that is out of phase, so that the sum of both is the music."""

from collections.abc import Iterable

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel

_SIDE_DB = 10.0
"""So much louder than the middle the side is where channels are out of phase; in a wide mix it is not."""


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
        energies += _energies(_plain(part))
    return energies / 4.0


def _plain(audio: FloatArray) -> FloatArray:
    """Return audio as every call of a kernel has it, so that each is compiled once."""
    return np.require(audio, np.float32, ("C", "W"))


@kernel
def _weighted_mean(audio: FloatArray, second: np.float32) -> FloatArray:
    mono = np.empty(len(audio), dtype=np.float32)
    for frame in range(len(audio)):
        mono[frame] = np.float32(0.5) * audio[frame, 0] + second * audio[frame, 1]
    return mono


@kernel
def _energies(audio: FloatArray) -> DoubleArray:
    """Return the energies of middle and side, doubled each, in double precision."""
    # Sums of their own for eight frames in a row: one alone would wait for itself.
    middles, sides = np.zeros(8), np.zeros(8)
    for first in range(0, len(audio) - 7, 8):
        for lane in range(8):
            left, right = audio[first + lane, 0], audio[first + lane, 1]
            middles[lane] += np.float64((left + right) * (left + right))
            sides[lane] += np.float64((left - right) * (left - right))
    for frame in range(len(audio) - len(audio) % 8, len(audio)):
        left, right = audio[frame, 0], audio[frame, 1]
        middles[0] += np.float64((left + right) * (left + right))
        sides[0] += np.float64((left - right) * (left - right))
    return np.array([middles.sum(), sides.sum()])
