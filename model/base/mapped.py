"""This module frees the memory that holds what was read of arrays mapped from files."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt


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
