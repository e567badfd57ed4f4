"""A pool keeps one column, the values in a file, for each thing that it knows of its chunks."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from model.base.array_files import MOST_READ_BYTES, ArrayFile, ArrayFileError, frozen
from model.base.arrays import IntArray, RowArray
from model.base.errors import PoolError
from model.base.stored_rows import HELD_ROWS, AnyPlaces, AnyRows, StoredRows
from model.features.seam import SEAM_VALUES
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.features.texture import TEXTURE_VALUES
from stream.pool.traits import BY_ROWS, TRAIT_COLUMNS

FINGERPRINT_FRAMES = 16
_TODO = "run `endlos pool build` again, which analyses anew what is lost"

Rows = npt.NDArray[np.void]
"""Chunks of one song as records, with a field for each column."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One thing that is kept of every chunk."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """Shape of one chunk's values."""
    taken: Literal["read", "held", "stored"]
    """How a reader takes it: in memory; in memory, read-only, unless there is much of it; or row by row.

    Nothing is mapped: a map whose disk fails ends the process. Edges and spectra are looked at when a pool is
    opened, and by training, and may be far larger than memory.
    """

    @property
    def row_bytes(self) -> int:
        """Bytes of one chunk's values."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def columns(edge_samples: int) -> dict[str, Column]:
    """Return the columns of a pool with edges of this length, by name."""
    described: dict[str, tuple[npt.DTypeLike, tuple[int, ...], Literal["read", "held", "stored"]]] = {
        "start_sample": ("<i8", (), "read"),
        "end_sample": ("<i8", (), "read"),
        "loudness_db": ("<f4", (), "read"),
        "fingerprints": ("<f4", (2, FINGERPRINT_FRAMES, 2), "held"),
        "heads": ("<f2", (2, edge_samples), "stored"),
        "tails": ("<f2", (2, edge_samples), "stored"),
        "spectra": ("<f2", (2, SPECTRUM_FRAMES, SPECTRUM_BINS), "stored"),
        "seam_end_values": ("<i2", (SEAM_VALUES,), "stored"),  # a decision looks at one, and at all starts
        "seam_start_values": ("<i2", (SEAM_VALUES,), "held"),
        "texture_ends": ("<f4", (TEXTURE_VALUES,), "held"),
        "texture_starts": ("<f4", (TEXTURE_VALUES,), "held"),
    }
    described |= {
        name: (dtype, shape, "held" if name in BY_ROWS else "read")
        for name, (dtype, shape) in TRAIT_COLUMNS.items()
    }
    return {
        name: Column(dtype=np.dtype(dtype).newbyteorder("<"), shape=shape, taken=taken)
        for name, (dtype, shape, taken) in described.items()
    }


def record_type(edge_samples: int) -> np.dtype[np.void]:
    """Return the type of `Rows` with edges of this length."""
    return np.dtype([(name, column.dtype, column.shape) for name, column in columns(edge_samples).items()])


def column_folder(pool_folder: Path, number: int) -> Path:
    """Return where columns stand; a pool has one such folder, or two while they are written anew."""
    return pool_folder / "columns" / f"{number:06d}"


def column_file(folder: Path, name: str) -> Path:
    """Return where a column stands in its folder: its values one after the other, and nothing else."""
    return folder / f"{name}.bin"


@dataclass(frozen=True, kw_only=True)
class StoredColumns:
    """The columns of a pool, as a generation names them: their files only grow, so they stay as they are."""

    folder: Path
    chunks: int
    """So many stand there, those of songs that are gone among them; what follows in the files is not ours."""
    edge_samples: int

    def rows_of(self, first_rows: IntArray, counts: IntArray) -> AnyPlaces:
        """Return where the chunks of songs stand, one song after the other; `PoolError` where they cannot.

        first_rows, counts: `(songs,)` int64, none negative. Where all stand in order it is a range.
        """
        self._file("start_sample")  # believed only as far as there are values
        if (first_rows + counts > self.chunks).any():
            raise PoolError(
                f"{self.folder} is said to hold {self.chunks} chunks, and songs to stand behind them; "
                "run `endlos pool build` again"
            )
        offsets = first_rows - (np.cumsum(counts) - counts)
        if len(counts) and (offsets == offsets[0]).all():
            return range(int(offsets[0]), int(offsets[0] + counts.sum()))
        rows: RowArray = np.repeat(offsets.astype(np.int32), counts)
        rows += np.arange(len(rows), dtype=np.int32)
        return rows

    def read(self, rows: AnyPlaces, names: Collection[str] | None = None) -> dict[str, Any]:
        """Return columns of chunks, `(N, ...)` each: arrays, or `StoredRows`.

        rows: `(N,)`, where they stand. names: which columns; all when None. `PoolError` when one is
        damaged.
        """
        return {
            name: self._taken(name, column, rows)
            for name, column in columns(self.edge_samples).items()
            if names is None or name in names
        }

    def span(
        self, first_row: int, chunks: int, names: Collection[str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Return columns of the chunks of one song, `(chunks, ...)` each, in memory; otherwise as `read`."""
        found = {}
        for name in columns(self.edge_samples) if names is None else names:
            file = self._file(name)
            if not first_row + chunks <= self.chunks:
                raise self._damaged(name, ArrayFileError("it has fewer rows than are asked for"))
            try:
                found[name] = file.span(first_row, chunks)
            except ArrayFileError as error:
                raise self._damaged(name, error) from error
        return found

    def _taken(self, name: str, column: Column, rows: AnyPlaces) -> AnyRows:
        file = self._file(name)
        try:
            much = file.data_bytes > MOST_READ_BYTES or len(rows) > HELD_ROWS
            if column.taken == "stored" or (column.taken == "held" and much):
                return StoredRows(file, rows, _TODO)
            values = file.span(rows.start, len(rows)) if isinstance(rows, range) else file.read()[rows]
        except ArrayFileError as error:
            raise self._damaged(name, error) from error
        return values if column.taken == "read" else frozen(values)

    def _file(self, name: str) -> ArrayFile:
        column = columns(self.edge_samples)[name]
        path = column_file(self.folder, name)
        try:
            return ArrayFile.plain(path, column.dtype, (self.chunks, *column.shape))
        except FileNotFoundError:
            raise self._missing(path) from None
        except ArrayFileError as error:
            raise self._damaged(name, error) from error

    def _missing(self, path: Path) -> PoolError:
        known = {column_file(self.folder, name) for name in columns(self.edge_samples)}
        if any(there not in known for there in self.folder.glob("*.bin")):
            return PoolError(
                f"{self.folder} was written by another endlos, with other columns; "
                "run `endlos pool build` again, which analyses its songs anew and keeps what was said of them"
            )
        return PoolError(f"{path} is not there; {_TODO}")

    def _damaged(self, name: str, error: ArrayFileError) -> PoolError:
        return PoolError(f"{column_file(self.folder, name)} cannot be read ({error}); {_TODO}")
