"""Audio in memory-mapped files that do not stay in memory once they have been read."""

import mmap
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.errors import DecodeError
from model.kernels import FloatArray

LONG_FRAMES = 1 << 25
"""What is longer (12.7 minutes at 44.1 kHz) is kept in a file where there is a folder for it."""
PART_FRAMES = 1 << 20


def collect(blocks: Iterable[FloatArray], scratch: Path | None) -> FloatArray:
    """Return blocks `(frames, ...)` float32 one after the other as one array; at least one is expected.

    scratch: folder in which more than `LONG_FRAMES` are kept, in a file without a name that goes away with
    the array; None: always in memory. `DecodeError` when there is no room for them.
    """
    kept: list[FloatArray] = []
    frames = 0
    blocks = iter(blocks)
    for block in blocks:
        kept.append(block)
        frames += len(block)
        if scratch is not None and frames > LONG_FRAMES:
            break
    if scratch is None or frames <= LONG_FRAMES:
        return np.concatenate(kept)
    try:
        return _mapped(chain(kept, blocks), scratch)
    except OSError as error:
        raise DecodeError(
            f"the samples of a long song find no room in {scratch} ({error.strerror}); free some space"
        ) from error


def in_parts(audio: FloatArray, frames: int = PART_FRAMES) -> Iterator[FloatArray]:
    """Yield an array part by part, and let go of each that is memory-mapped before the next."""
    for start in range(0, len(audio), frames):
        yield audio[start : start + frames]
        give_back(audio)


def give_back(mapped: npt.NDArray[Any]) -> None:
    """Let go of what was read of a memory-mapped array; it can be read again. Nothing for any other array.

    The system would keep it, and count it as this process's, until memory is short.
    """
    file: Any = mapped
    while isinstance(file, np.ndarray):
        file = file.base
    # Not on Windows, which counts what is mapped differently.
    if isinstance(file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def _mapped(blocks: Iterable[FloatArray], folder: Path) -> FloatArray:
    frames = 0
    shape: tuple[int, ...] = ()
    with tempfile.TemporaryFile(dir=folder) as file:
        for block in blocks:
            frames, shape = frames + len(block), block.shape[1:]
            file.write(np.ascontiguousarray(block).data)
        file.flush()
        # Copy on write: kernels compile anew for arrays that are read-only.
        return np.asarray(np.memmap(file, dtype=np.float32, mode="c", shape=(frames, *shape)))
