"""Rows of an array in a file are read where they are asked for, by calls that return an error.

They are not mapped: a map of a file that is shortened, or whose disk fails, ends the process. Many rows are
read by one call that holds nobody up: thousands of calls from Python would each wait for Python's lock.
"""

import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.array_files import ArrayFile, ArrayFileError, frozen
from model.base.arrays import BoolArray, IntArray
from model.base.errors import PoolError
from model.base.kernels import kernel
from model.base.lean_numba import numba

SLICE_BYTES = 1 << 20
"""So much is read at once for a kernel, which then finds it in the cache."""

HELD_ROWS = 65_536
"""Of more rows, what is asked for by rows alone is not held in memory."""
AnyPlaces = npt.NDArray[np.signedinteger] | range
_Bytes = npt.NDArray[np.uint8]
types = numba.types
_pread: Any = types.ExternalFunction(
    "pread", types.intp(types.int32, types.voidptr, types.uintp, types.int64)
)
_HAS_PREAD = hasattr(os, "pread")
_posix_fadvise: Any = types.ExternalFunction(
    "posix_fadvise", types.int32(types.int32, types.int64, types.int64, types.int32)
)
_preadv2: Any = types.ExternalFunction(
    "preadv2", types.intp(types.int32, types.voidptr, types.int32, types.int64, types.int32)
)
_AT_HAND = getattr(os, "RWF_NOWAIT", None)
"""None where a system cannot be asked for what is in memory alone."""
_WANTED = getattr(os, "POSIX_FADV_WILLNEED", None)
"""None where a system cannot be told what will be read."""
MANY_ROWS = 32
"""So many are asked for all at once: a disk then has them in a sixth of the time."""
# Windows has no such call; and there no file is shortened that somebody has open and mapped, either.
_one_at_a_time = threading.Lock()


class StoredRows:
    """Rows of an array in a file, in an order of their own; what is asked for is read, and nothing else.

    It is indexed as an array is: by rows, and within them by numbers and slices. `[:, ...]` reads nothing,
    and gives the same part of each row. `PoolError` where a row cannot be read. Any thread.
    """

    def __init__(self, file: ArrayFile, rows: AnyPlaces, todo: str) -> None:
        """Show the `rows` `(N,)` of a file of `(M, ...)`; `ArrayFileError` when it cannot be opened.

        rows: whole numbers, or a range of them, which takes no memory. todo: what a sentence about damage
        asks for.
        """
        self.rows = rows
        self._file = _OpenFile(file, todo)
        # Says how a row is laid out, and what of it is shown; nothing is ever written there.
        self._row = self._part = np.empty(file.shape[1:], dtype=file.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what it shows, `(N, ...)`."""
        return (len(self.rows), *self._part.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""
        dtype: np.dtype[Any] = self._part.dtype
        return dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all that it shows."""
        return len(self.rows) * self._part.nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        which, inside = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        shown = StoredRows.__new__(StoredRows)
        shown._file, shown._row = self._file, self._row
        # With the dots one value is a view, too, which says where it stands.
        shown._part = self._part[*inside, ...]
        if shown._part.size and not np.may_share_memory(shown._part, self._row):
            raise TypeError("of a row only what numbers and slices say can be read")
        if isinstance(which, slice) and which == slice(None):
            shown.rows = self.rows
            return shown
        chosen = _chosen(self.rows, which)
        shown.rows = np.atleast_1d(chosen)
        values = shown._read()
        # As a view of what may not be written is: kernels are compiled once, for such arrays.
        return values if np.ndim(chosen) else frozen(values)[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        # As an array of its own: it is read anew in any case.
        return np.asarray(self._read(), dtype=dtype)

    def _read(self) -> npt.NDArray[Any]:
        """Return all that it shows."""
        part = self._part
        if not part.size or not len(self.rows):
            return np.empty(self.shape, dtype=self.dtype)
        begins = part.__array_interface__["data"][0] - self._row.__array_interface__["data"][0]
        spans = [(size - 1) * stride for size, stride in zip(part.shape, part.strides, strict=True)]
        low, high = sum(min(0, span) for span in spans), sum(max(0, span) for span in spans) + part.itemsize
        found = np.empty((len(self.rows), high - low), dtype=np.uint8)
        self._file.read(_chosen(self.rows, slice(None)), self._row.nbytes, begins + low, found)
        return np.ndarray(
            self.shape, dtype=part.dtype, buffer=found, offset=-low, strides=(high - low, *part.strides)
        )


def _chosen(rows: AnyPlaces, which: Any) -> Any:
    """Return those of `rows` that an index of an array names, int64: a number for a number."""
    if not isinstance(rows, range):
        return rows[which].astype(np.int64, copy=False)
    if isinstance(which, slice):
        part = rows[which]
        return np.arange(part.start, part.stop, part.step)
    places = np.asarray(which)
    if not places.ndim:
        return np.int64(rows[which])
    if places.dtype == np.bool_:
        if places.shape != (len(rows),):
            raise IndexError(f"a mask of {places.shape} does not choose among {len(rows)} rows")
        places = np.flatnonzero(places)
    if places.size and places.min() < 0:
        places = np.where(places < 0, places + len(rows), places)
    if places.size and not (places.min() >= 0 and places.max() < len(rows)):
        raise IndexError(f"there are {len(rows)} rows, and others were asked for")
    return places.astype(np.int64, copy=False) * rows.step + rows.start


AnyRows = npt.NDArray[Any] | StoredRows
"""An array, or what is indexed as one."""


def in_slices(array: AnyRows, rows: IntArray) -> Iterator[tuple[slice, npt.NDArray[Any], IntArray]]:
    """Yield which of `rows` are at hand, the array that holds them, and where in it; for kernels.

    An array is at hand whole; of `StoredRows` so many are read at once that they stay in the cache.
    """
    if not isinstance(array, StoredRows):
        yield slice(0, len(rows)), array, rows
        return
    most = max(1, SLICE_BYTES * len(array) // max(1, array.nbytes))
    for first in range(0, len(rows), most):
        part = slice(first, min(len(rows), first + most))
        yield part, frozen(array[rows[part]]), np.arange(part.stop - first)


class _OpenFile:
    """A file of rows that stays open for as long as somebody shows any of it."""

    def __init__(self, file: ArrayFile, todo: str) -> None:
        self._about = file
        self._todo = todo
        try:
            self._descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise ArrayFileError(error.strerror or "it is damaged") from error
        # Not at the end of the process, when threads may still read.
        weakref.finalize(self, os.close, self._descriptor).atexit = False

    def read(self, rows: IntArray, row_bytes: int, inside: int, found: _Bytes) -> None:
        """Fill each row of `found` `(n, bytes)` with what stands at byte `inside` of one of `rows`."""
        first = self._about.offset_bytes + inside
        if _WANTED is None or len(rows) < MANY_ROWS:
            self._read(rows, row_bytes, first, found)
            return
        left = np.arange(len(rows))
        if _AT_HAND is not None:
            left = left[_read_at_hand(self._descriptor, first, row_bytes, rows, found, _AT_HAND)]
        if len(left):
            _ask_for_rows(self._descriptor, first, row_bytes, rows[left], found.shape[1], _WANTED)
            rest = np.empty((len(left), found.shape[1]), dtype=np.uint8)
            self._read(rows[left], row_bytes, first, rest)
            found[left] = rest

    def _read(self, rows: IntArray, row_bytes: int, first: int, found: _Bytes) -> None:
        done = 0
        while done < len(rows):
            if _HAS_PREAD:
                done = _read_rows(self._descriptor, first, row_bytes, rows, found, done)
            if done < len(rows):
                # What one call does not give is asked for again, and says why.
                self._read_one(first + int(rows[done]) * row_bytes, found[done])
                done += 1

    def _read_one(self, offset: int, found: _Bytes) -> None:
        view, done = found.data, 0
        try:
            while done < len(view):
                part = self._bytes(offset + done, len(view) - done)
                if not part:
                    raise self._damaged("it is damaged: it is shorter than the database says")
                view[done : done + len(part)] = part
                done += len(part)
        except OSError as error:
            raise self._damaged(error.strerror or "it is damaged") from error

    def _bytes(self, offset: int, count: int) -> bytes:
        if _HAS_PREAD:
            return os.pread(self._descriptor, count, offset)
        with _one_at_a_time:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)

    def _damaged(self, reason: str) -> PoolError:
        return PoolError(f"{self._about.path} cannot be read ({reason}); {self._todo}")


@kernel
def _read_rows(descriptor: int, first: int, row_bytes: int, rows: IntArray, found: _Bytes, begin: int) -> int:
    """Read rows from the one in place `begin` on, and return the place of the first that was not read.

    Rows that follow each other in the file are read by one call.
    """
    wanted, place = found.shape[1], begin
    while place < len(rows):
        stop = _run(rows, place, wanted == row_bytes)
        size = (stop - place) * wanted
        if _pread(descriptor, found[place].ctypes, size, first + rows[place] * row_bytes) != size:
            return place
        place = stop
    return len(rows)


@kernel
def _read_at_hand(
    descriptor: int, first: int, row_bytes: int, rows: IntArray, found: _Bytes, flags: int
) -> BoolArray:
    """Read the rows for which no disk is waited, and return which are left, `(n,)`."""
    wanted, place = found.shape[1], 0
    left = np.zeros(len(rows), dtype=np.bool_)
    where = np.empty(2, dtype=np.intp)
    while place < len(rows):
        stop = _run(rows, place, wanted == row_bytes)
        where[0], where[1] = found.ctypes.data + place * wanted, (stop - place) * wanted
        done = _preadv2(descriptor, where.ctypes, 1, first + rows[place] * row_bytes, flags)
        if done != where[1]:
            left[place:stop] = True
        place = stop
    return left


@kernel
def _ask_for_rows(
    descriptor: int, first: int, row_bytes: int, rows: IntArray, wanted: int, advice: int
) -> None:
    """Tell the system which rows will be read; what it makes of that changes nothing but the time."""
    place = 0
    while place < len(rows):
        stop = _run(rows, place, wanted == row_bytes)
        _posix_fadvise(descriptor, first + rows[place] * row_bytes, (stop - place) * wanted, advice)
        place = stop


@kernel
def _run(rows: IntArray, place: int, whole: bool) -> int:
    """Return the place behind the rows that follow each other from one on; behind itself unless `whole`."""
    stop = place + 1
    while whole and stop < len(rows) and rows[stop] == rows[stop - 1] + 1:
        stop += 1
    return stop
