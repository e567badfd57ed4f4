"""This module keeps audio in memory-mapped files and frees the memory of what has been read."""

import mmap
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from model.base.files import is_full

PART_FRAMES = 1 << 20
LONG_FRAMES = 1 << 25
"""What is longer (12.7 minutes at 44.1 kHz) is kept in a file where there is a folder for it."""
_MORE_FRAMES = 1 << 13
"""Room for what a codec adds to the length that its file states."""


class MappedSamples:
    """Samples in a mapped file that are never kept in memory: a slice is a copy, and the rest is let go of.

    So whoever looks at a long song part by part, or here and there, holds no more than those parts.
    """

    def __init__(self, mapped: FloatArray) -> None:
        """mapped: `(frames, ...)` float32, mapped from a file, of which it lets go; never write into it."""
        self._mapped = mapped
        self.shape: tuple[int, ...] = mapped.shape

    def __len__(self) -> int:
        return len(self._mapped)

    def __getitem__(self, part: slice) -> FloatArray:
        copied: FloatArray = np.array(self._mapped[part])
        _give_back(self._mapped)
        return copied

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return all of it, in memory."""
        return np.asarray(self[:], dtype)

    def part(self, start: int, stop: int) -> "MappedSamples":
        """Return a part of it, which is not in memory either."""
        return MappedSamples(self._mapped[start:stop])


SongSamples = FloatArray | MappedSamples
"""A song in memory, or in a file: what looks at it takes its length and slices of it, and need not know."""


def part_of(audio: SongSamples, start: int, stop: int) -> SongSamples:
    """Return a part of a song, in memory or in a file like the song."""
    return audio.part(start, stop) if isinstance(audio, MappedSamples) else audio[start:stop]


def in_parts(audio: SongSamples, frames: int = PART_FRAMES) -> Iterator[FloatArray]:
    """Yield a song part by part."""
    for start in range(0, len(audio), frames):
        yield audio[start : start + frames]


def collect(blocks: Iterable[FloatArray], scratch: Path | None, *, expected: int = 0) -> SongSamples:
    """Return blocks `(frames, ...)` float32 one after the other as one array; of none, `(0, 2)`.

    scratch: folder in which more than `LONG_FRAMES` are kept, in a file without a name that goes away with
    the array; None: always in memory. expected: about how many frames will come; told, no frame is in memory
    twice, and none of those that go into a file longer than it takes to write it.
    `DecodeError` when there is no room for them; any other `OSError` as it is.
    """
    kept: deque[FloatArray] = deque()
    frames = filled = 0
    room: FloatArray | None = None
    blocks = iter(blocks)
    for block in blocks:
        if room is None and 0 < expected <= LONG_FRAMES:
            room = np.empty((expected + _MORE_FRAMES, *block.shape[1:]), dtype=np.float32)
        if room is not None and filled == frames and frames + len(block) <= len(room):
            room[frames : frames + len(block)] = block
            filled += len(block)
        else:
            kept.append(block)
        frames += len(block)
        if scratch is not None and max(frames, expected) > LONG_FRAMES:
            break
    if room is not None and filled:
        kept.appendleft(room[:filled])
    if not kept:
        return np.zeros((0, 2), dtype=np.float32)
    if scratch is None or max(frames, expected) <= LONG_FRAMES:
        return kept[0] if len(kept) == 1 else np.concatenate(kept)
    try:
        return _mapped(chain(_taken(kept), blocks), scratch)
    except OSError as error:
        if not is_full(error):
            raise
        raise DecodeError(
            f"the samples of a long song find no room in {scratch} ({error.strerror}); free some space"
        ) from error


def _taken(kept: deque[FloatArray]) -> Iterator[FloatArray]:
    """Yield blocks and hold none that was yielded."""
    while kept:
        yield kept.popleft()


def _mapped(blocks: Iterable[FloatArray], folder: Path) -> MappedSamples:
    frames = 0
    shape: tuple[int, ...] = ()
    with tempfile.TemporaryFile(dir=folder) as file:
        for block in blocks:
            frames, shape = frames + len(block), block.shape[1:]
            file.write(np.ascontiguousarray(block).data)
        file.flush()
        return MappedSamples(np.memmap(file, dtype=np.float32, mode="r", shape=(frames, *shape)))


def _give_back(mapped: FloatArray) -> None:
    """Let go of what was read of an array that is mapped from a file; it can be read again, from the file.

    The system would keep it, and count it as this process's, until memory is short.
    """
    owner: Any = mapped
    while isinstance(owner, np.ndarray):
        owner = owner.base
    # Not on Windows, which counts what is mapped differently.
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
