"""The place of a pool is its folder for writing, by one builder at a time and nothing half-written."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from model.base.errors import PoolError
from model.base.files import beside, what_to_do
from model.base.lock import held_alone
from stream.pool.database import DATABASE_ERRORS, DATABASE_FILE

LOCK_FILE = "build.lock"
FOLDERS = ("analysis", "columns", "decoded", "generations")
GRID_FOLDER = "grids"
"""What a training keeps of each song."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the pool in `folder` (made if need be); it ends with the process, however that ends.

    `PoolError` when `folder` is no place for a pool, or another build holds the lock.
    """
    if folder.exists() and not folder.is_dir():
        raise PoolError(f"{folder} is a file; give a folder for the pool")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _is_ours(folder):
            raise PoolError(f"{folder} is no pool and not empty; give a new folder for the pool")
        (folder / LOCK_FILE).touch()
    except OSError as error:
        raise PoolError(
            f"{folder} cannot be written: {error.strerror}; give a folder for the pool that can"
        ) from error
    with held_alone(
        folder / LOCK_FILE, PoolError(f"{folder} is being built by another process; wait for it to end")
    ):
        yield


_SQLITE_TODO = {
    sqlite3.SQLITE_FULL: "free some space",
    # What a quota or a limit refuses to write is an error of the disk to SQLite.
    sqlite3.SQLITE_IOERR: "free some space or check the disk",
    sqlite3.SQLITE_READONLY: "change who may write there",
    sqlite3.SQLITE_PERM: "change who may write there",
    sqlite3.SQLITE_CANTOPEN: "change who may write there",
    sqlite3.SQLITE_BUSY: "wait for the other process",
}
"""What to do about an error of the database, by its code."""


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Turn what goes wrong while writing a pool into one sentence."""
    try:
        yield
    except DATABASE_ERRORS as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            todo = "restore it, or delete the pool folder and build it anew"
        else:
            todo = f"{_SQLITE_TODO.get(code, 'check the disk')} and build again; what is built is kept"
        raise PoolError(f"{folder / DATABASE_FILE} cannot be written ({error}); {todo}") from error
    except OSError as error:
        place = error.filename or folder
        raise PoolError(
            f"{place} cannot be written ({error.strerror or error}); "
            f"{what_to_do(error)} and build again; what is built is kept"
        ) from error


def begin_array(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Write the head of an `.npy` file; its values follow, in order."""
    # Not through a memory map: on a full disk writing to one ends the process.
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array beside and rename it; or `OSError`."""
    with beside(path) as part, part.open("wb") as file:
        begin_array(file, array.dtype, array.shape)
        file.write(np.ascontiguousarray(array).data)


def remove(path: Path) -> None:
    """Remove a file or a folder, if that can be done."""
    # Where a player has a file open and the system keeps it for that, the next build removes it.
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_ours(folder: Path) -> bool:
    ours = {DATABASE_FILE, f"{DATABASE_FILE}-journal", LOCK_FILE, *FOLDERS}
    return (folder / DATABASE_FILE).exists() or all(path.name in ours for path in folder.iterdir())
