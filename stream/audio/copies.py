"""Decoded copies of songs are written with a check sum of every block, and only read where it holds.

A copy is read by calls that return an error, never mapped: a map of a file that was shortened, or whose disk
fails, ends the process.
"""

import io
import os
import zlib
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import DecodeError, PoolError
from model.base.files import beside, what_to_do
from stream.audio.samples import SongSamples, in_parts

_BLOCK_FRAMES = 4_096
_FRAME_BYTES = 2 * np.dtype(np.float32).itemsize
_BLOCK_BYTES = _BLOCK_FRAMES * _FRAME_BYTES
_SUM = np.dtype("<u4")


def write_decoded_copy(audio: SongSamples, path: Path) -> None:
    """Write a whole decode, `(frames, 2)` float32, to `path` (`stream.pool.pool.decoded_copy`).

    It is a `.npy` file, the check sums of its blocks after the samples; written beside and renamed.
    `PoolError` when the disk is full or may not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside(path) as written, written.open("wb") as file:
            file.write(_header(len(audio)))
            sums = []
            for part in in_parts(audio, 256 * _BLOCK_FRAMES):
                samples = np.ascontiguousarray(part, dtype="<f4")
                file.write(samples.data)
                sums += [zlib.crc32(block.data) for block in _blocks(samples)]
            file.write(np.array(sums, dtype=_SUM).data)
    except OSError as error:
        raise PoolError(
            f"{path} cannot be written ({error.strerror or error}); {what_to_do(error)}"
        ) from error


def copy_bytes(frames: int) -> int:
    """Return the size of the decoded copy of a song of so many frames."""
    return len(_header(frames)) + frames * _FRAME_BYTES + _block_count(frames) * _SUM.itemsize


def has_copy(path: Path, frames: int) -> bool:
    """Whether a decoded copy of a song of so many frames stands at `path`, as far as its size tells."""
    try:
        return path.stat().st_size == copy_bytes(frames)
    except OSError:
        return False


class DecodedCopy:
    """An open copy; for one thread at a time.

    `DecodeError` when it is not there, or not of so many frames.
    """

    def __init__(self, path: Path, frames: int) -> None:
        self._path = path
        self._frames = frames
        header = _header(frames)
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise DecodeError(f"{path} cannot be opened ({error.strerror})") from error
        try:
            size = os.fstat(self._file.fileno()).st_size
            if size != copy_bytes(frames) or self._bytes(0, len(header)) != header:
                raise self._damaged("it is of another form or length")
            self._start = len(header)
            table = self._bytes(self._start + frames * _FRAME_BYTES, _block_count(frames) * _SUM.itemsize)
        except BaseException:
            self._file.close()
            raise
        self._sums = np.frombuffer(table, dtype=_SUM)

    def read(self, start: int, stop: int) -> FloatArray:
        """Return frames `start` to `stop`, `(stop - start, 2)` float32.

        `DecodeError` when they cannot be read, or are not what was written.
        """
        first = start // _BLOCK_FRAMES
        from_frame = first * _BLOCK_FRAMES
        to_frame = min(self._frames, -(-stop // _BLOCK_FRAMES) * _BLOCK_FRAMES)
        audio: FloatArray = np.empty((to_frame - from_frame, 2), dtype="<f4")
        found = audio.reshape(-1).view(np.uint8).data
        self._fill(self._start + from_frame * _FRAME_BYTES, found)
        for number, at in enumerate(range(0, len(found), _BLOCK_BYTES), first):
            if zlib.crc32(found[at : at + _BLOCK_BYTES]) != self._sums[number]:
                raise self._damaged(f"frame {number * _BLOCK_FRAMES} on")
        return audio[start - from_frame : stop - from_frame]

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        self._file.close()

    def _bytes(self, offset: int, count: int) -> bytes:
        found = bytearray(count)
        self._fill(offset, memoryview(found))
        return bytes(found)

    def _fill(self, offset: int, buffer: memoryview) -> None:
        try:
            self._file.seek(offset)
            while len(buffer):
                count = self._file.readinto(buffer)
                if not count:
                    raise self._damaged("it ends too early")
                buffer = buffer[count:]
        except OSError as error:
            raise self._damaged(error.strerror or str(error)) from error

    def _damaged(self, reason: str) -> DecodeError:
        return DecodeError(f"{self._path} is damaged ({reason}); run `endlos pool build` again")


def _header(frames: int) -> bytes:
    header = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": (frames, 2)}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


def _block_count(frames: int) -> int:
    return -(-frames // _BLOCK_FRAMES)


def _blocks(audio: FloatArray) -> list[FloatArray]:
    return [audio[start : start + _BLOCK_FRAMES] for start in range(0, len(audio), _BLOCK_FRAMES)]
