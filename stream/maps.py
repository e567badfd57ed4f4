"""Memory-mapped files that do not stay in memory once they have been read."""

import mmap
from typing import Any

import numpy.typing as npt


def give_back(mapped: npt.NDArray[Any]) -> None:
    """Let go of what was read of a memory-mapped array; it can be read again. Nothing for any other array.

    The system would keep it, and count it as this process's, until memory is short.
    """
    file = mapped.base
    # Not on Windows, which counts what is mapped differently.
    if isinstance(file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)
