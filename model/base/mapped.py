"""This module reads rows of arrays that are mapped from files, and frees the memory that then holds them."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import IntArray


class StoredRows:
    """Rows of an array in a file, in an order of their own; what is asked for is read, and nothing else.

    It is indexed as an array is. `[:, ...]` reads nothing, and gives the same part of each row.
    """

    def __init__(self, stored: npt.NDArray[Any], rows: IntArray) -> None:
        """Show the `rows` `(N,)` int64 of `stored` `(M, ...)`, which is mapped."""
        self.stored = stored
        self.rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what it shows, `(N, ...)`."""
        return (len(self.rows), *self.stored.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""
        return self.stored.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all that it shows."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        which, inside = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if isinstance(which, slice) and which == slice(None):
            return StoredRows(self.stored[:, *inside], self.rows)
        return self.stored[(self.rows[which], *inside)]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        # As an array of its own: it is read anew in any case.
        return np.asarray(self.stored[self.rows], dtype=dtype)


AnyRows = npt.NDArray[Any] | StoredRows
"""An array, or what is indexed as one."""


def where_stored(array: AnyRows, rows: IntArray) -> tuple[npt.NDArray[Any], IntArray]:
    """Return the array that really holds `rows` of another, and which rows of it they are; for kernels."""
    if isinstance(array, StoredRows):
        return array.stored, array.rows[rows]
    return array, rows


def give_back(mapped: AnyRows) -> None:
    """Let go of what was read of an array that is mapped from a file; it can be read again, from the file.

    What was written into the array is lost. Nothing for any other array. The system would keep what was
    read, and count it as this process's, until memory is short.
    """
    owner: Any = mapped.stored if isinstance(mapped, StoredRows) else mapped
    from_file = False
    while isinstance(owner, np.ndarray):
        # Any other map may be of no file, and would come back as zeros.
        from_file = from_file or isinstance(owner, np.memmap)
        owner = owner.base
    # Not on Windows, which counts what is mapped differently.
    if from_file and isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
