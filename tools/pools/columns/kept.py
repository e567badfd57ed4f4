"""An analysis stands in a file of its own, as rows of chunks, until a generation packs it into columns."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model.base.array_files import ArrayFile, ArrayFileError
from stream.pool.columns import Rows, StoredColumns, column_folder, record_type


@dataclass(frozen=True, kw_only=True)
class SongPlace:
    """Where the chunks of a song stand in the columns."""

    first_row: int
    chunks: int


@dataclass(frozen=True, kw_only=True)
class KeptColumns:
    """The columns of a pool, and which analyses with the same settings stand there."""

    stored: StoredColumns | None
    """None before anything was published."""
    places: Mapping[str, SongPlace]
    """By audio hash."""

    @classmethod
    def of(
        cls, database: sqlite3.Connection, folder: Path, key: str, audio_hash: str | None = None
    ) -> "KeptColumns":
        """Read where analyses with the settings of a key stand; `sqlite3.Error` where that cannot be read.

        audio_hash: of the one song that is looked for; None: all of them.
        """
        row = database.execute(
            """SELECT columns, stored_chunks, edge_samples FROM generations
               WHERE generation = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation')
               AND typeof(columns) = 'integer' AND columns > 0
               AND typeof(stored_chunks) = 'integer' AND typeof(edge_samples) = 'integer'"""
        ).fetchone()
        stored = None
        if row is not None:
            stored = StoredColumns(folder=column_folder(folder, row[0]), chunks=row[1], edge_samples=row[2])
        one, wanted = ("", ()) if audio_hash is None else (" AND audio_hash = ?", (audio_hash,))
        places = database.execute(f"SELECT audio_hash, first_row, chunks FROM {_PLACES}{one}", (key, *wanted))
        return cls(
            stored=stored,
            places={name: SongPlace(first_row=first, chunks=chunks) for name, first, chunks in places},
        )


_PLACES = """places WHERE analysis_key = ? AND typeof(first_row) = 'integer' AND first_row >= 0
    AND typeof(chunks) = 'integer' AND chunks > 0"""
"""SQLite keeps whatever it is given in any field: what cannot be a place is none."""


def placed_chunks(database: sqlite3.Connection, audio_hash: str, key: str) -> int | None:
    """Return how many chunks of a song stand in the columns; None when it does not."""
    row = database.execute(f"SELECT chunks FROM {_PLACES} AND audio_hash = ?", (key, audio_hash)).fetchone()
    return None if row is None else int(row[0])


def rows_file(folder: Path, audio_hash: str, key: str) -> Path:
    """Return where the rows of a song's chunks stand before they are packed, by the key of its analysis."""
    return folder / "analysis" / f"{audio_hash}-{key}.npy"


def read_rows(path: Path, edge_samples: int) -> Rows | None:
    """Return the rows that a file holds; None when they are not there, damaged or not of such edges."""
    with suppress(OSError, ArrayFileError):
        file = _rows_in(path, edge_samples)
        return None if file is None else file.read()
    return None


def rows_in(path: Path, edge_samples: int) -> int | None:
    """Return how many rows a file holds; None where `read_rows` would."""
    with suppress(OSError, ArrayFileError):
        file = _rows_in(path, edge_samples)
        return None if file is None else file.shape[0]
    return None


def _rows_in(path: Path, edge_samples: int) -> ArrayFile | None:
    file = ArrayFile.of(path)
    return file if len(file.shape) == 1 and file.dtype == record_type(edge_samples) else None
