"""This module holds what all encoders of byte streams and files have in common, and their sinks."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np

from model.base.arrays import FloatArray
from stream.outputs.output import peak_of

NO_TAGS: Mapping[str, str] = MappingProxyType({})
LOUDEST = 16.0
"""24 dB above full scale; what is louder is damage."""


class CoderError(ValueError):
    """There is no such encoding, or a file cannot be written; what FFmpeg says of it."""


class BinaryFile(Protocol):
    """What an encoder writes to; one that cannot seek has no use for `seek` but to be asked."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position, and return it."""

    def tell(self) -> int:
        """Return the position."""


class Coder(Protocol):
    """One encoder with its container."""

    def encode(self, block: FloatArray) -> None:
        """Take `(frames, 2)` float32."""

    def close(self) -> None:
        """Write what is left; nothing the second time."""


def tame(block: FloatArray) -> FloatArray:
    """Return `block` as it is, or without what no encoder may be given: NaN, infinity, beyond `LOUDEST`.

    LAME ends the whole process on the first two.
    """
    # The comparison fails for NaN.
    if peak_of(block) <= LOUDEST:
        return block
    finite: FloatArray = np.nan_to_num(block, nan=0.0, posinf=LOUDEST, neginf=-LOUDEST)
    return np.clip(finite, -LOUDEST, LOUDEST)


class Cutter:
    """Cuts a stream into blocks of one length, so that an encoder's bytes do not depend on the caller's."""

    def __init__(self, block_frames: int) -> None:
        self._block_frames = block_frames
        self._rest = np.zeros((0, 2), dtype=np.float32)

    def push(self, block: FloatArray) -> Iterator[FloatArray]:
        """Yield the whole blocks that are there now; to be used up before the next call."""
        joined = np.concatenate([self._rest, block])
        whole = len(joined) // self._block_frames * self._block_frames
        self._rest = joined[whole:].copy()
        for start in range(0, whole, self._block_frames):
            yield joined[start : start + self._block_frames]

    def rest(self) -> FloatArray:
        """Return what is left, shorter than a block, maybe empty."""
        return self._rest
