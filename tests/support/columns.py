"""This helper reads and changes the columns of a pool in their files, as damage or other hands would."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.stored_rows import StoredRows
from stream.pool.columns import column_file, column_folder, columns
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import Pool


def current_column(folder: Path, name: str) -> Path:
    """Return the file of a column of the current generation."""
    return column_file(column_folder(folder, _current(folder)[0]), name)


def stored_column(folder: Path, name: str) -> npt.NDArray[Any]:
    """Return what a column holds, in the order of its file."""
    _, edge_samples = _current(folder)
    column = columns(edge_samples)[name]
    values = np.fromfile(current_column(folder, name), dtype=column.dtype)
    return values.reshape(-1, *column.shape)


def in_order(pool: Pool, name: str) -> npt.NDArray[Any]:
    """Return what a column of an open pool holds, in the pool's order."""
    assert isinstance(pool.heads, StoredRows)
    return stored_column(pool.folder, name)[pool.heads.rows]


def edit_column(pool: Pool, name: str, change: Callable[[npt.NDArray[Any]], object]) -> None:
    """Change a column of an open pool, which `change` gets in the pool's order."""
    assert isinstance(pool.heads, StoredRows)
    values = stored_column(pool.folder, name)
    shown = values[pool.heads.rows]
    change(shown)
    values[pool.heads.rows] = shown
    values.tofile(current_column(pool.folder, name))


def _current(folder: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database:
        number, edge_samples = database.execute(
            "SELECT columns, edge_samples FROM generations ORDER BY generation DESC LIMIT 1"
        ).fetchone()
    return number, edge_samples
