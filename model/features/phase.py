"""This module turns over a channel that is out of phase, so that the sum of both is the music."""

from collections.abc import Iterable

import numpy as np

from model.base.arrays import FloatArray

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


def out_of_phase(parts: Iterable[FloatArray]) -> bool:
    """Whether the middle of audio, given in parts `(n, 2)`, is all but silent and its side is not."""
    middle = side = 0.0
    for part in parts:
        left, right = part[:, 0], part[:, 1]
        middle += float(np.square(left + right).sum(dtype=np.float64))
        side += float(np.square(left - right).sum(dtype=np.float64))
    return side > middle * 10 ** (_SIDE_DB / 10)
