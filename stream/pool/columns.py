"""A pool keeps one column, an array in a file, for each thing that it knows of its chunks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from model.base.array_files import ArrayFile, ArrayFileError
from model.base.errors import PoolError
from model.features.seam import SEAM_VALUES
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.features.texture import TEXTURE_VALUES
from stream.pool.traits import TRAIT_COLUMNS

FINGERPRINT_FRAMES = 16

Rows = npt.NDArray[np.void]
"""Chunks of one song as records, with a field for each column."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One thing that is kept of every chunk."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """Shape of one chunk's values."""
    taken: Literal["read", "held", "mapped"]
    """How a reader takes it: in memory; in memory, read-only, unless it is very large; or mapped.

    What a stream looks at while it plays is held, as far as memory allows: a map whose disk fails ends the
    process. Edges and spectra are read when a pool is opened, and by training, and may be far larger.
    """


def columns(edge_samples: int) -> dict[str, Column]:
    """Return the columns of a pool with edges of this length, by name; the file is `NAME.npy`."""
    described: dict[str, tuple[npt.DTypeLike, tuple[int, ...], Literal["read", "held", "mapped"]]] = {
        "start_sample": ("<i8", (), "read"),
        "end_sample": ("<i8", (), "read"),
        "loudness_db": ("<f4", (), "read"),
        "fingerprints": ("<f4", (2, FINGERPRINT_FRAMES, 2), "held"),
        "heads": ("<f4", (2, edge_samples), "mapped"),
        "tails": ("<f4", (2, edge_samples), "mapped"),
        "spectra": ("<f2", (2, SPECTRUM_FRAMES, SPECTRUM_BINS), "mapped"),
        "seam_ends": ("<i2", (SEAM_VALUES,), "held"),
        "seam_starts": ("<i2", (SEAM_VALUES,), "held"),
        "texture_ends": ("<f4", (TEXTURE_VALUES,), "held"),
        "texture_starts": ("<f4", (TEXTURE_VALUES,), "held"),
    }
    described |= {
        name: (dtype, shape, "held" if shape else "read") for name, (dtype, shape) in TRAIT_COLUMNS.items()
    }
    return {
        name: Column(dtype=np.dtype(dtype).newbyteorder("<"), shape=shape, taken=taken)
        for name, (dtype, shape, taken) in described.items()
    }


def record_type(edge_samples: int) -> np.dtype[np.void]:
    """Return the type of `Rows` with edges of this length."""
    return np.dtype([(name, column.dtype, column.shape) for name, column in columns(edge_samples).items()])


def read_columns(folder: Path, chunks: int, edge_samples: int) -> dict[str, npt.NDArray[Any]]:
    """Return the columns that stand in `folder`, `(chunks, ...)` each; `PoolError` when one is damaged."""
    return {
        name: _read(folder / f"{name}.npy", column, chunks) for name, column in columns(edge_samples).items()
    }


def _read(path: Path, column: Column, chunks: int) -> npt.NDArray[Any]:
    try:
        file = ArrayFile.of(path)
        if file.shape == (chunks, *column.shape) and file.dtype == column.dtype:
            return {"read": file.read, "held": file.held, "mapped": file.mapped}[column.taken]()
    except FileNotFoundError:
        raise PoolError(
            f"{path} is not there, as in pools of an earlier endlos; run `endlos pool build` again, which "
            "analyses the songs anew where that is needed"
        ) from None
    except ArrayFileError as error:
        raise PoolError(
            f"{path} cannot be read ({error}); run `endlos pool build` again, it keeps what it has"
        ) from error
    raise PoolError(
        f"{path} has shape {file.shape} {file.dtype}, "
        f"expected {(chunks, *column.shape)} {column.dtype}; "
        "run `endlos pool build` again, it keeps what it has"
    )
