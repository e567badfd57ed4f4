"""The reader of arrays believes the header of a `.npy` file as far as the file bears it out.

NumPy's own raises whatever its parser does on a damaged header, and makes room for what a lying one states.
A file is read by calls that return an error. A map of one that is shortened, or whose disk fails, ends the
process: nothing that a stream looks at is mapped (`model.base.stored_rows` has what is too large to be held).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.errors import EndlosError

MOST_READ_BYTES = 64 * 2**20
"""Of a larger file rows are read where they are asked for, by whoever does not need them all."""

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class ArrayFileError(EndlosError):
    """A file of an array cannot be read; the message is the reason alone, for a sentence with its name."""


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """A file of an array that is as long as its header, or whoever knows, says that it is."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset_bytes: int

    @classmethod
    def of(cls, path: Path) -> "ArrayFile":
        """Look at a file; `ArrayFileError` when it is damaged, `FileNotFoundError` when it is not there."""
        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                shape, fortran, dtype = _HEADERS[version](file)
                offset_bytes = file.tell()
            size_bytes = path.stat().st_size
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ArrayFileError(error.strerror or "it is damaged") from error
        except Exception as error:  # the header is parsed as Python, which raises all that Python raises
            raise ArrayFileError("it is damaged") from error
        # A file of Python's order of dimensions alone, as all of ours are.
        if dtype.hasobject or fortran or any(size < 0 for size in shape):
            raise ArrayFileError("it is damaged")
        if size_bytes != offset_bytes + math.prod(shape) * dtype.itemsize:
            raise ArrayFileError("it is damaged: it is not as long as it says")
        return cls(path=path, shape=shape, dtype=dtype, offset_bytes=offset_bytes)

    @classmethod
    def plain(cls, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> "ArrayFile":
        """Look at a file of values without a header, of which the first are wanted; errors as in `of`."""
        file = cls(path=path, shape=shape, dtype=dtype, offset_bytes=0)
        try:
            size_bytes = path.stat().st_size
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ArrayFileError(error.strerror or "it is damaged") from error
        if size_bytes < file.data_bytes:
            raise ArrayFileError("it is damaged: it is shorter than the database says")
        return file

    @property
    def data_bytes(self) -> int:
        """Size of what it holds."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> npt.NDArray[Any]:
        """Return what it holds, in memory; `ArrayFileError` when that cannot be read."""
        return self._values(0, math.prod(self.shape)).reshape(self.shape)

    def span(self, first_row: int, rows: int) -> npt.NDArray[Any]:
        """Return rows that follow each other, `(rows, ...)`, in memory; errors as in `read`."""
        row_values = math.prod(self.shape[1:])
        return self._values(first_row * row_values, rows * row_values).reshape(rows, *self.shape[1:])

    def mapped(self) -> npt.NDArray[Any]:
        """Return what it holds, mapped, read-only; for no stream. `ArrayFileError` when it cannot be."""
        if not self.data_bytes:
            return frozen(np.zeros(self.shape, dtype=self.dtype))
        try:
            found: npt.NDArray[Any] = np.memmap(
                self.path, dtype=self.dtype, mode="r", offset=self.offset_bytes, shape=self.shape
            )
        except (OSError, ValueError) as error:
            raise ArrayFileError(getattr(error, "strerror", None) or "it is damaged") from error
        return found

    def _values(self, first: int, count: int) -> npt.NDArray[Any]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset_bytes + first * self.dtype.itemsize)
                array = np.fromfile(file, dtype=self.dtype, count=count)
        except OSError as error:
            raise ArrayFileError(error.strerror or "it is damaged") from error
        if array.size != count:
            raise ArrayFileError("it is damaged: it is not as long as it says")
        return array


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make an array read-only, and return it: kernels are compiled once, for such arrays."""
    array.flags.writeable = False
    return array
