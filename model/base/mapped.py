"""This module frees the memory that holds what was read of arrays mapped from files."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray

PART_FRAMES = 1 << 20


def in_parts(audio: FloatArray, frames: int = PART_FRAMES) -> Iterator[FloatArray]:
    """Yield an array part by part, and let go of each that is memory-mapped before the next."""
    for start in range(0, len(audio), frames):
        yield audio[start : start + frames]
        give_back(audio)


def give_back(mapped: npt.NDArray[Any]) -> None:
    """Let go of what was read of an array that is mapped from a file; it can be read again, from the file.

    What was written into the array is lost. Nothing for any other array. The system would keep what was
    read, and count it as this process's, until memory is short.
    """
    owner: Any = mapped
    from_file = False
    while isinstance(owner, np.ndarray):
        # Any other map may be of no file, and would come back as zeros.
        from_file = from_file or isinstance(owner, np.memmap)
        owner = owner.base
    # Not on Windows, which counts what is mapped differently.
    if from_file and isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
