"""This module scores every chunk of a pool after every other, so that a decision only looks a row up."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedRandom, BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray
from model.base.errors import ModelError, PoolError
from model.base.files import PART_SUFFIX
from model.base.stored_rows import AnyRows
from model.saved.contract_file import load_contract
from stream.pool.pool import Pool, open_pool
from stream.scoring.matrix_scorer import NAMES_SUFFIX, chunk_names, matrix_path, open_matrix
from stream.scoring.opening import open_scorer
from stream.scoring.scorer import Scorer
from stream.scoring.settings import ScoringSettings
from tools.pools.place import save_array


@dataclass(frozen=True, kw_only=True)
class PrecomputeProgress:
    """How far it is."""

    done: int
    """Rows that are there."""
    total: int


@dataclass(frozen=True, kw_only=True)
class PrecomputeReport:
    """What was done."""

    path: Path
    chunks: int
    resumed_rows: int
    """Rows that an interrupted run, or an earlier one of this very pool and model, had left."""
    reused_scores: int
    """Scores taken over from an earlier generation of the pool."""
    scored: int
    """Scores computed now."""
    elapsed_s: float


def precompute_scores(
    pool_folder: Path,
    model: Path,
    *,
    threads: int,
    progress: Callable[[PrecomputeProgress], None] | None = None,
) -> PrecomputeReport:
    """Write the `(N, N)` matrix of scores of `model` into the pool; what is there already is kept.

    Interrupted, it goes on from the last full row. Scores of chunks that an earlier generation of the pool
    had too are taken over; matrices of generations that are gone are removed when the new one is complete.
    Raises `PoolError` or `ModelError` for what cannot be read, does not fit, or gives no numbers.
    """
    began_s = time.monotonic()
    pool = open_pool(pool_folder)
    path = matrix_path(pool, model, load_contract(model))
    count = len(pool)
    tell = progress or (lambda state: None)
    if open_matrix(path, count) is not None:
        tell(PrecomputeProgress(done=count, total=count))
        return PrecomputeReport(
            path=path,
            chunks=count,
            resumed_rows=count,
            reused_scores=0,
            scored=0,
            elapsed_s=time.monotonic() - began_s,
        )
    scorer = open_scorer(pool, ScoringSettings(model=model, threads=threads, precomputed=False)).scorer
    assert scorer is not None  # a model was named
    earlier = _Earlier.newest(path, pool)
    path.parent.mkdir(parents=True, exist_ok=True)
    reused = scored = 0
    with _rows_file(path, count) as rows:
        resumed = rows.done
        for reference in range(resumed, count):
            tell(PrecomputeProgress(done=reference, total=count))
            row, taken = _row(scorer, earlier, reference, count)
            if not np.isfinite(row).all():
                raise ModelError(
                    f"{model} gives scores that are not numbers after chunk {reference} of {pool_folder}; "
                    "train it again"
                )
            rows.append(row)
            reused, scored = reused + taken, scored + count - taken
    _publish(path, chunk_names(pool))
    tell(PrecomputeProgress(done=count, total=count))
    return PrecomputeReport(
        path=path,
        chunks=count,
        resumed_rows=resumed,
        reused_scores=reused,
        scored=scored,
        elapsed_s=time.monotonic() - began_s,
    )


class _Earlier:
    """The scores of an earlier generation, as far as its chunks are still there."""

    def __init__(self, matrix: AnyRows, row_of: dict[bytes, int], names: npt.NDArray[np.bytes_]) -> None:
        self._matrix = matrix
        self._rows = np.array([row_of.get(name, -1) for name in names.tolist()], dtype=np.int64)
        self.known = np.flatnonzero(self._rows >= 0)
        self.missing = np.flatnonzero(self._rows < 0)

    @classmethod
    def newest(cls, path: Path, pool: Pool) -> "_Earlier | None":
        """Return the newest complete matrix of the same model, None when there is none."""
        found = sorted(path.parent.glob(f"*{NAMES_SUFFIX}"), key=lambda other: other.stat().st_mtime)
        for names_path in reversed(found):
            names = _names(names_path)
            matrix = None if names is None else open_matrix(_matrix_of(names_path), len(names))
            if names is not None and matrix is not None:
                return cls(matrix, {name: row for row, name in enumerate(names)}, chunk_names(pool))
        return None

    def row(self, reference: int) -> FloatArray | None:
        """Return the known scores after `reference`, one for each of `known`; None when there are none."""
        if self._rows[reference] < 0:
            return None
        scores: FloatArray = self._matrix[self._rows[reference]][self._rows[self.known]]
        return scores


def _row(scorer: Scorer, earlier: _Earlier | None, reference: int, count: int) -> tuple[FloatArray, int]:
    """Return all scores after `reference`, and how many of them were taken over."""
    taken = None if earlier is None else earlier.row(reference)
    if earlier is None or taken is None:
        return scorer.score(reference), 0
    row = np.empty(count, dtype=np.float32)
    row[earlier.known] = taken
    if len(earlier.missing):
        row[earlier.missing] = scorer.score(reference, earlier.missing)
    return row, len(taken)


class _RowsFile:
    """An `.npy` that grows row by row; its header is written first, so that it is complete with the last."""

    def __init__(self, file: BufferedRandom, count: int) -> None:
        self._file = file
        self._row_bytes = 4 * count
        header = BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (count, count)}
        np.lib.format.write_array_header_1_0(header, shape)
        self._start = len(header.getvalue())
        size = file.seek(0, os.SEEK_END)
        self.done = max(0, size - self._start) // self._row_bytes
        file.seek(0)
        file.write(header.getvalue())
        # A run that was killed may have left a part of a row.
        file.truncate(self._start + self.done * self._row_bytes)

    def append(self, row: FloatArray) -> None:
        expected = self._start + self.done * self._row_bytes
        if self._file.seek(0, os.SEEK_END) != expected:
            raise PoolError(
                f"{self._file.name} is being written by another `endlos precompute`; wait until it is done"
            )
        self._file.write(row.astype("<f4").tobytes())
        self._file.flush()
        self.done += 1


@contextmanager
def _rows_file(path: Path, count: int) -> Iterator[_RowsFile]:
    part = path.with_name(path.name + PART_SUFFIX)
    part.touch()
    with part.open("r+b") as file:
        yield _RowsFile(file, count)
        os.fsync(file.fileno())


def _matrix_of(names_path: Path) -> Path:
    return names_path.with_name(names_path.name.removesuffix(NAMES_SUFFIX) + ".npy")


def _names(path: Path) -> list[bytes] | None:
    """Return the names of a matrix's chunks; None when the file is damaged: there is nothing to take over."""
    try:
        with path.open("rb") as file:
            names = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return names.tolist() if names.ndim == 1 else None


def _publish(path: Path, names: npt.NDArray[np.bytes_]) -> None:
    """Make the finished matrix readable, and tidy away those of other generations."""
    names_path = path.with_name(path.stem + NAMES_SUFFIX)
    save_array(names_path, names)
    path.with_name(path.name + PART_SUFFIX).replace(path)
    for other in path.parent.iterdir():
        if other not in (path, names_path):
            # Where files in use cannot be removed, a player may still read it: the next time, then.
            with suppress(PermissionError):
                other.unlink()
