"""Arrays that are computed from a pool's spectra once and kept beside its generation, mapped from then on."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from model.errors import PoolError
from model.files import beside
from model.kernels import HalfArray
from model.seam import SEAM_VALUES, SEAM_VERSION, SeamSides, seam_sides
from model.texture import TEXTURE_VALUES, TEXTURE_VERSION, Textures, textures
from stream.pool import Pool, generation_folder

log = logging.getLogger(__name__)

TOLD_FROM_CHUNKS = 20_000
"""From here on it takes seconds."""

Scalar = TypeVar("Scalar", bound=np.generic)


def pool_sides(pool: Pool, *, apart_s: float = 0.0) -> SeamSides:
    """Return what the second stage compares of a pool's chunks: mapped where an earlier call left it.

    Else it is computed and left there, or kept in memory where nothing may be written. `PoolError` when the
    pool has no spectra.
    """
    return sides_of(_home(pool), _spectra(pool), apart_s=apart_s)


def sides_of(home: Path, spectra: HalfArray, *, apart_s: float = 0.0) -> SeamSides:
    """Return what is compared of the chunks of a generation in the folder `home`, as `pool_sides` does."""
    path = home / f"seam-{SEAM_VERSION}-{round(apart_s * 1000)}.npy"

    def made() -> npt.NDArray[np.int16]:
        sides = seam_sides(spectra, apart_s=apart_s)
        return np.stack([sides.ends, sides.starts])

    ends, starts = _kept(path, np.dtype(np.int16), (2, len(spectra), SEAM_VALUES), made)
    return SeamSides(ends=ends, starts=starts)


def pool_textures(pool: Pool) -> Textures:
    """Return the textures of a pool's chunks, as `pool_sides` does."""
    return textures_of(_home(pool), _spectra(pool))


def textures_of(home: Path, spectra: HalfArray) -> Textures:
    """Return the textures of the chunks of a generation in the folder `home`, as `pool_textures` does."""
    path = home / f"texture-{TEXTURE_VERSION}.npy"
    ends, starts = _kept(
        path, np.dtype(np.float32), (2, len(spectra), TEXTURE_VALUES), lambda: textures(spectra)
    )
    return Textures(ends=ends, starts=starts)


def _home(pool: Pool) -> Path:
    return generation_folder(pool.folder, pool.generation)


def _spectra(pool: Pool) -> HalfArray:
    if pool.spectra is None:
        raise PoolError(
            f"{pool.folder} keeps no spectra; run `endlos pool build` again, or use another model"
        )
    return pool.spectra


def _kept(
    path: Path, dtype: np.dtype[Scalar], shape: tuple[int, ...], make: Callable[[], npt.NDArray[Scalar]]
) -> npt.NDArray[Scalar]:
    try:
        kept: npt.NDArray[Scalar] = np.load(path, mmap_mode="r", allow_pickle=False)
        if kept.shape == shape and kept.dtype == dtype:
            return kept
        log.warning("%s is of other chunks and is made again", path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError) as error:
        log.warning("%s cannot be read (%s) and is made again", path, error)
    if shape[1] >= TOLD_FROM_CHUNKS:
        log.warning("what joins between %d chunks are chosen by is computed first, once", shape[1])
    made = make()
    try:
        with beside(path) as part, part.open("wb") as file:
            np.save(file, made, allow_pickle=False)
    except OSError as error:
        log.info("%s is not kept: %s", path, error)
        return made
    # Mapped it is shared with the disk cache, and of the type that kernels were compiled for.
    mapped: npt.NDArray[Scalar] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped
