"""The peaks of a song outline how loud it is from its beginning to its end, to be drawn."""

from contextlib import suppress
from typing import Protocol

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.audio.copies import DecodedCopy
from stream.audio.song_file import SongFile
from stream.pool.pool import Pool, decoded_copy

_WHOLE_S = 600.0
"""A song that is longer is only looked at here and there."""
_LOOK_S = 0.25
_READ_FRAMES = 2**19


class _Spans(Protocol):
    def read(self, start: int, stop: int) -> FloatArray: ...

    def close(self) -> None: ...


def song_peaks(pool: Pool, song: int, points: int) -> FloatArray:
    """Return the greatest absolute sample in each of `points` equal parts of a song, `(points,)` float32.

    song: its index in the pool. All values are from 0 to 1. Where neither its file nor a decoded copy can be
    read in spans, the levels of its chunks stand for them. Opens the file for itself and takes some tenths
    of a second; any thread.
    """
    spans = _open(pool, song)
    if spans is None:
        return _levels(pool, song, points)
    try:
        return _read_peaks(spans, pool.songs[song].frames, pool.songs[song].sample_rate_hz, points)
    except DecodeError:
        # The planner finds out, and says so; a picture is no reason to.
        return _levels(pool, song, points)
    finally:
        spans.close()


def _open(pool: Pool, song: int) -> _Spans | None:
    entry = pool.songs[song]
    with suppress(DecodeError):
        if not entry.seekable:
            return DecodedCopy(decoded_copy(pool.folder, entry.audio_hash), entry.frames)
        file = SongFile(entry.path)
        if (file.frames, file.sample_rate_hz) == (entry.frames, entry.sample_rate_hz):
            return file
        file.close()
    return None


def _read_peaks(spans: _Spans, frames: int, rate_hz: int, points: int) -> FloatArray:
    bounds = np.linspace(0, frames, points + 1).astype(np.int64)
    starts, ends = bounds[:-1], bounds[1:]
    if frames > _WHOLE_S * rate_hz:
        ends = np.minimum(ends, starts + round(_LOOK_S * rate_hz))
        found = [_peak(spans.read(int(start), int(end))) for start, end in zip(starts, ends, strict=True)]
        return np.array(found, dtype=np.float32)
    # Many parts in one go: to seek costs more than to read.
    at_once = max(1, int(_READ_FRAMES * points // max(frames, 1)))
    peaks = np.zeros(points, dtype=np.float32)
    for first in range(0, points, at_once):
        last = min(first + at_once, points)
        offset = int(starts[first])
        block = spans.read(offset, int(ends[last - 1]))
        for part in range(first, last):
            peaks[part] = _peak(block[starts[part] - offset : ends[part] - offset])
    return peaks


def _peak(samples: FloatArray) -> float:
    # A part of a very short song may hold no sample at all.
    greatest = float(np.abs(samples).max(initial=0.0))
    return min(greatest, 1.0) if greatest == greatest else 0.0


def _levels(pool: Pool, song: int, points: int) -> FloatArray:
    rows = pool.song_rows(song)
    middles = (np.arange(points) + 0.5) * pool.songs[song].frames / points
    chunk = np.searchsorted(pool.end_sample[rows], middles, side="right")
    chunk = np.minimum(chunk, rows.stop - rows.start - 1)
    level = 10.0 ** (pool.loudness_db[rows][chunk] / 20.0)
    # A chunk's peak lies some 12 dB above its level; between the chunks there is silence.
    outside = middles < pool.start_sample[rows][chunk]
    found: FloatArray = np.where(outside, 0.0, np.minimum(4.0 * level, 1.0)).astype(np.float32)
    return found
