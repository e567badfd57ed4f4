"""A pool keeps one column, an array in a file, for each thing that it knows of its chunks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
    mapped: bool
    """Whether a reader maps the file rather than reading it: what is large, and seldom needed whole."""


def columns(edge_samples: int) -> dict[str, Column]:
    """Return the columns of a pool with edges of this length, by name; the file is `NAME.npy`."""
    described: dict[str, tuple[npt.DTypeLike, tuple[int, ...], bool]] = {
        "start_sample": ("<i8", (), False),
        "end_sample": ("<i8", (), False),
        "loudness_db": ("<f4", (), False),
        "fingerprints": ("<f4", (2, FINGERPRINT_FRAMES, 2), True),
        "heads": ("<f4", (2, edge_samples), True),
        "tails": ("<f4", (2, edge_samples), True),
        "spectra": ("<f2", (2, SPECTRUM_FRAMES, SPECTRUM_BINS), True),
        "seam_ends": ("<i2", (SEAM_VALUES,), True),
        "seam_starts": ("<i2", (SEAM_VALUES,), True),
        "texture_ends": ("<f4", (TEXTURE_VALUES,), True),
        "texture_starts": ("<f4", (TEXTURE_VALUES,), True),
    }
    described |= {name: (dtype, shape, bool(shape)) for name, (dtype, shape) in TRAIT_COLUMNS.items()}
    return {
        name: Column(dtype=np.dtype(dtype).newbyteorder("<"), shape=shape, mapped=mapped)
        for name, (dtype, shape, mapped) in described.items()
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
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r" if column.mapped else None, allow_pickle=False)
    except FileNotFoundError:
        raise PoolError(
            f"{path} is not there, as in pools of an earlier endlos; run `endlos pool build` again, which "
            "analyses the songs anew where that is needed"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        # What NumPy says of a damaged file is advice on pickles.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise PoolError(
            f"{path} cannot be read ({reason}); run `endlos pool build` again, it keeps what it has"
        ) from error
    if array.shape != (chunks, *column.shape) or array.dtype != column.dtype:
        raise PoolError(
            f"{path} has shape {array.shape} {array.dtype}, "
            f"expected {(chunks, *column.shape)} {column.dtype}; "
            "run `endlos pool build` again, it keeps what it has"
        )
    return array
