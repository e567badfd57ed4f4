"""Generations of a pool share rows of arrays, in files that only grow and are linked into the folder of each.

A generation takes over rows of an earlier one by linking its files. It writes what is new behind them, and
keeps a table of the rows that are its own. What somebody reads is never changed, and a file goes with the
last folder that it stands in. Where a file system knows no links, files are copied.
"""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.base.array_files import ArrayFile, ArrayFileError
from model.base.arrays import IntArray
from model.base.errors import PoolError
from model.base.files import what_to_do
from model.base.stored_rows import AnyPlaces, AnyRows, StoredRows

_INDEX_FILE, _ROWS_FILE, _SUFFIX = "index.json", "rows.npy", ".bin"
_FORMAT_VERSION = 2
_UNLINKED_VERSION = 1
"""An earlier endlos wrote each array whole, as `.npy`; those are read."""
_UNREADABLE = (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, ArrayFileError)
_MOST_UNUSED = 0.25
"""Files of which more would be rows of nobody here are written anew."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinkedRows:
    """Arrays as one folder has them: some rows of files that other folders may share."""

    folder: Path
    note: Mapping[str, Any]
    """What was noted beside them, in a file that may be damaged: none of it is sure."""
    files: Mapping[str, ArrayFile]
    """`(stored, ...)` each, by name; what follows in them belongs to other folders."""
    rows: AnyPlaces
    """`(N,)`: where the rows of this folder stand in the files."""

    @classmethod
    def of(cls, folder: Path) -> "LinkedRows":
        """Look at what `write_rows` or `grow_rows` left in a folder; `PoolError` where it is damaged."""
        try:
            note = json.loads((folder / _INDEX_FILE).read_text(encoding="utf-8"))
            if note["format_version"] == _UNLINKED_VERSION:
                files = {path.stem: ArrayFile.of(path) for path in folder.glob("*.npy")}
                return cls(folder=folder, note=note, files=files, rows=range(note["chunks"]))
            if note["format_version"] != _FORMAT_VERSION:
                raise ValueError(f"they have format {note['format_version']!r}")
            stored = note["stored"]
            files = {
                name: ArrayFile.plain(folder / f"{name}{_SUFFIX}", np.dtype(dtype), (stored, *shape))
                for name, (dtype, shape) in note["arrays"].items()
            }
            rows = _rows_in(folder, note["chunks"], stored)
        except _UNREADABLE as error:
            raise PoolError(
                f"{folder} holds no embeddings that can be read ({error}); {remake(folder)}"
            ) from error
        return cls(folder=folder, note=note, files=files, rows=rows)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, name: str, places: AnyPlaces | None = None) -> StoredRows:
        """Return the rows of an array, or those at `places` of its file, read where they are asked for.

        `KeyError` where there is no such array, `ArrayFileError` where it cannot be opened.
        """
        return StoredRows(self.files[name], self.rows if places is None else places, remake(self.folder))

    def grows(self, places: IntArray) -> bool:
        """Whether its files are worth sharing for rows at `places`, -1 for each that would be added."""
        if self.note["format_version"] != _FORMAT_VERSION:
            return False
        stored = max(file.shape[0] for file in self.files.values()) + int(np.count_nonzero(places < 0))
        return len(places) >= (1 - _MOST_UNUSED) * stored


def remake(folder: Path) -> str:
    """Return what a sentence about damage asks for."""
    return f"delete {folder}, it will be made again"


def write_rows(folder: Path, note: Mapping[str, Any], arrays: Mapping[str, AnyRows]) -> None:
    """Write arrays `(N, ...)` beside a folder, and rename it in the place of an older one.

    note: stands beside them. Whoever has the older one open keeps it. `PoolError` where it cannot be written.
    """
    with _replacing(folder) as part:
        _append(part, 0, arrays)
        (rows,) = {len(array) for array in arrays.values()}
        _describe(part, note, arrays, rows, rows)


def grow_rows(
    folder: Path, note: Mapping[str, Any], earlier: LinkedRows, places: IntArray, added: Mapping[str, AnyRows]
) -> None:
    """Write a folder that shares the files of an earlier one, and has rows of its own behind them.

    places: `(N,)` int64, the rows of those files that are taken over, -1 for each that is added. added: these
    rows of every array, in their order; none where nothing is. One process at a time may do that to the same
    files. Otherwise as `write_rows`.
    """
    new, files = places < 0, earlier.files
    with _replacing(folder) as part:
        for file in files.values():
            _link(file.path, part / file.path.name)
        # Behind whatever is there: also a generation that is not ours, and what a killed build has left.
        first = max(-(-file.path.stat().st_size // _row_bytes(file)) for file in files.values())
        _append(part, first, added)
        rows = places.astype(np.int32)
        rows[new] = first + np.arange(np.count_nonzero(new))
        with (part / _ROWS_FILE).open("wb") as table:
            np.save(table, rows, allow_pickle=False)
        stored = first + np.count_nonzero(new) if added else next(iter(files.values())).shape[0]
        _describe(part, note, files, int(stored), len(rows))


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `folder` when all went well."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    older = part.with_suffix(".old")
    try:
        part.mkdir(parents=True)
        yield part
        with suppress(FileNotFoundError):
            folder.rename(older)
        part.rename(folder)
    except OSError as error:
        raise PoolError(
            f"{folder} cannot be written ({error.strerror or error}); {what_to_do(error)}"
        ) from error
    finally:
        for left in (part, older):
            shutil.rmtree(left, ignore_errors=True)


def _link(file: Path, other: Path) -> None:
    try:
        other.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, other)


def _append(folder: Path, first: int, arrays: Mapping[str, AnyRows]) -> None:
    """Write rows of arrays into the files of a folder, from row `first` on."""
    for name, array in arrays.items():
        path = folder / f"{name}{_SUFFIX}"
        with path.open("r+b" if path.exists() else "xb") as file:
            file.seek(first * _row_bytes(array))
            file.write(np.ascontiguousarray(array).data)


def _describe(
    folder: Path,
    note: Mapping[str, Any],
    arrays: Mapping[str, AnyRows | ArrayFile],
    stored: int,
    chunks: int,
) -> None:
    described = {name: [array.dtype.str, array.shape[1:]] for name, array in arrays.items()}
    fields = {
        "format_version": _FORMAT_VERSION,
        "chunks": chunks,
        "stored": stored,
        **note,
        "arrays": described,
    }
    (folder / _INDEX_FILE).write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def _row_bytes(array: AnyRows | ArrayFile) -> int:
    return math.prod(array.shape[1:]) * array.dtype.itemsize


def _rows_in(folder: Path, chunks: int, stored: int) -> AnyPlaces:
    """Return the table of rows in a folder: without one they are the first that its files hold."""
    if not 0 < chunks <= stored:
        raise ValueError(f"it says that {chunks} of {stored} rows are its own")
    if not (folder / _ROWS_FILE).exists():
        return range(chunks)
    rows = ArrayFile.of(folder / _ROWS_FILE).read()
    if rows.dtype != np.int32 or rows.shape != (chunks,) or rows.min() < 0 or rows.max() >= stored:
        raise ValueError(f"{_ROWS_FILE} holds what it cannot")
    return rows
