"""This module keeps audio in memory-mapped files and frees the memory of what has been read."""

import errno
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import DecodeError

LONG_FRAMES = 1 << 25
"""What is longer (12.7 minutes at 44.1 kHz) is kept in a file where there is a folder for it."""

# EDQUOT is not known on Windows.
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def collect(blocks: Iterable[FloatArray], scratch: Path | None) -> FloatArray:
    """Return blocks `(frames, ...)` float32 one after the other as one array; of none, `(0, 2)`.

    scratch: folder in which more than `LONG_FRAMES` are kept, in a file without a name that goes away with
    the array; None: always in memory. Never write into what is returned:
    `model.base.mapped.give_back` would lose it.
    `DecodeError` when there is no room for them; any other `OSError` as it is.
    """
    kept: deque[FloatArray] = deque()
    frames = 0
    blocks = iter(blocks)
    for block in blocks:
        kept.append(block)
        frames += len(block)
        if scratch is not None and frames > LONG_FRAMES:
            break
    if not kept:
        return np.zeros((0, 2), dtype=np.float32)
    if scratch is None or frames <= LONG_FRAMES:
        return np.concatenate(kept)
    try:
        return _mapped(chain(_taken(kept), blocks), scratch)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise DecodeError(
            f"the samples of a long song find no room in {scratch} ({error.strerror}); free some space"
        ) from error


def _taken(kept: deque[FloatArray]) -> Iterator[FloatArray]:
    """Yield blocks and hold none that was yielded."""
    while kept:
        yield kept.popleft()


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
