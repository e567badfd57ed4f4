"""The matrix scorer looks a pool's scores up that `endlos precompute` left there, row by row."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.base.array_files import MOST_READ_BYTES, ArrayFile, ArrayFileError, frozen
from model.base.arrays import FloatArray, IntArray
from model.base.errors import PoolError
from model.base.stored_rows import AnyRows, StoredRows
from model.saved.contract import ModelContract
from model.saved.contract_file import content_hash
from stream.pool.pool import Pool

_log = logging.getLogger(__name__)

SCORES_FOLDER = "scores"
"""Inside a pool's folder."""
NAMES_SUFFIX = ".names.npy"


class MatrixScorer:
    """Any model, once all its scores are known. Belongs to no thread.

    matrix: `(N, N)` float32, row = reference, column = candidate.
    """

    def __init__(self, matrix: AnyRows) -> None:
        self._matrix = matrix

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None.

        `PoolError` when the row cannot be read.
        """
        row: FloatArray = self._matrix[reference]
        return row if candidates is None else row[candidates]

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks; None when they cannot be read."""
        try:
            return self.score(reference)
        except PoolError:
            return None

    def cancel(self) -> None:
        """Do nothing: no score takes long."""


def chunk_names(pool: Pool) -> npt.NDArray[np.bytes_]:
    """Return `(N,)` names that a chunk has in every generation: audio hash, start and end sample."""
    keys = pool.chunk_keys()
    return np.array([f"{key.audio_hash}:{key.start_sample}:{key.end_sample}".encode() for key in keys])


def matrix_path(pool: Pool, model: Path, contract: ModelContract) -> Path:
    """Return where scores of this very model over these very chunks, in this order, would stand."""
    chunks = hashlib.blake2b(b"\n".join(chunk_names(pool)), digest_size=16).hexdigest()
    return pool.folder / SCORES_FOLDER / content_hash(model, contract) / f"{chunks}.npy"


def open_matrix(path: Path, chunks: int) -> AnyRows | None:
    """Take `(chunks, chunks)` float32 scores; None when there are none, or they are damaged."""
    try:
        file = ArrayFile.of(path)
        if file.shape == (chunks, chunks) and file.dtype == np.float32:
            if file.data_bytes > MOST_READ_BYTES:
                return StoredRows(file, np.arange(chunks), "run `endlos precompute` again")
            return frozen(file.read())
    except FileNotFoundError:
        return None
    except ArrayFileError as error:
        _log.warning("%s cannot be used (%s); run `endlos precompute` again", path, error)
        return None
    _log.warning("%s is no matrix of %d chunks; run `endlos precompute` again", path, chunks)
    return None
