"""The span reader reads any span of any song at the engine's rate, the same samples however it is asked."""

import logging
import threading
from collections import OrderedDict
from contextlib import suppress
from math import gcd
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import DecodeError, PoolError
from stream.audio.copies import DecodedCopy
from stream.audio.decode import decode
from stream.audio.file_marks import FileMarks, mark_of
from stream.audio.kept_blocks import KeptBlocks
from stream.audio.open_files import Handle, OpenFiles
from stream.audio.resamplers import Resamplers
from stream.audio.song_file import SongFile
from stream.pool.pool import FINGERPRINT_FRAMES, Pool, decoded_copy

_log = logging.getLogger(__name__)

BLOCK_FRAMES = 32_768
"""About how many engine frames are read, resampled and kept at a time."""
FINGERPRINT_TOLERANCE = 1e-3
"""Versions of a decoder differ in the last bits; other music differs by far more."""
PEAK_TOLERANCE_DB = 3.0
"""Resampled, a song may have slightly higher peaks than were measured; damage is far louder."""

# Half the length of soxr's filter (VHQ) is 127 samples of the lower rate.
_ROLL_SAMPLES = 256
# A crossfade reads two songs at once.
_FEWEST_DECODED = 2


class SpanReader:
    """The audio of a pool in engine frames: bounded handles and caches; any thread may read.

    Threads wait for each other only where both need the file of one song (`stream.audio.open_files`).

    A song is heard from its file where seeks check out, else from its decoded copy, else (the copy was
    evicted or is damaged) from a whole decode that is kept for a while. At equal rates a span is the decode,
    bit for bit. Otherwise the song is resampled on a fixed grid of blocks that start on whole samples of both
    rates, each with enough of its surroundings to equal soxr (VHQ) on the whole song to 1e-5 (to 1e-4 at odd
    ratios, where soxr interpolates its filter).
    """

    def __init__(
        self,
        pool: Pool,
        engine_rate_hz: int = 44_100,
        *,
        max_open_files: int = 16,
        cache_bytes: int = 12 * 2**20,
        decoded_bytes: int = 128 * 2**20,
    ) -> None:
        """cache_bytes: 35 s of sound, of what was read and is still to be heard.

        decoded_bytes: of whole decodes, six minutes of music, but two songs in any case.
        """
        self._pool = pool
        self.engine_rate_hz = engine_rate_hz
        self._max_open_files = max_open_files
        self._decoded_bytes = decoded_bytes
        # Held for what follows, never while a file is opened, read, mapped, looked at or closed.
        self._lock = threading.Lock()
        self._files = OpenFiles(max_open_files)
        self._decoded: OrderedDict[int, FloatArray] = OrderedDict()
        self._blocks = KeptBlocks(cache_bytes)
        self._resamplers = Resamplers(engine_rate_hz)
        self._marks = FileMarks()
        # Songs whose copy was found damaged, which is said once.
        self._damaged: set[int] = set()
        # Whether it was said that fingerprints cannot be read.
        self._unchecked = False
        # How often something was forgotten: what was being read meanwhile may be of an older file.
        self._forgotten = 0

    def song_frames(self, song: int) -> int:
        """Return the length of a whole song in engine frames."""
        return self._to_engine(song, self._pool.songs[song].frames)

    def chunk_span(self, chunk: int) -> tuple[int, int]:
        """Return `(start, stop)` of a chunk in engine frames of its song; a song's chunks tile it."""
        song = int(self._pool.chunk_song[chunk])
        return (
            self._to_engine(song, int(self._pool.start_sample[chunk])),
            self._to_engine(song, int(self._pool.end_sample[chunk])),
        )

    def read(self, song: int, start: int, stop: int, *, passing: bool = False) -> FloatArray:
        """Return engine frames `start` to `stop` of a song, `(stop - start, 2)` float32, as a new array.

        passing: what is before `stop` will not be asked for again.
        Outside the song there are zeros. `DecodeError` when the file is gone or has changed, and when what it
        gives near there cannot be the song: no numbers, or peaks far above those that were measured.
        """
        first, end = max(start, 0), min(stop, self.song_frames(song))
        if first >= end:
            return np.zeros((max(0, stop - start), 2), dtype=np.float32)
        audio = np.empty((stop - start, 2), dtype=np.float32)
        audio[: first - start] = audio[end - start :] = 0.0
        _, block_frames = self._block_lengths(song)
        for number in range(first // block_frames, (end - 1) // block_frames + 1):
            block_start = number * block_frames
            low, high = max(first, block_start), min(end, block_start + block_frames)
            block = self._block(song, number)
            audio[low - start : high - start] = block[low - block_start : high - block_start]
            if passing and high == block_start + block_frames:
                with self._lock:
                    self._blocks.passed((song, number))
        return audio

    def check(self, chunk: int) -> None:
        """Compare a chunk's first and last frames with what the pool was built from.

        What is kept of the song's file counts for as long as the file has the size and the time that it had
        when it was first read; else it is read anew.
        `DecodeError` when the song is gone or is no longer the one that was analysed. Where the pool's own
        fingerprints cannot be read, its songs go on unchecked: that is said once, and no reason to be silent.
        """
        song = int(self._pool.chunk_song[chunk])
        path = self._pool.songs[song].path
        mark = mark_of(path)
        if mark is None:
            raise DecodeError(f"{path} is gone; put it back, or run `endlos pool build` again")
        if self._marks.first(song, mark) != mark:
            self._files.drop(song)
            with self._lock:
                self._forget(song)
            self._marks.renew(song, mark)
        start, end = int(self._pool.start_sample[chunk]), int(self._pool.end_sample[chunk])
        # At equal rates from the very blocks that will be heard, so that they are read once.
        equal = self._pool.songs[song].sample_rate_hz == self.engine_rate_hz
        read = self.read if equal else self._source
        found = np.stack(
            [
                read(song, start, start + FINGERPRINT_FRAMES),
                read(song, end - FINGERPRINT_FRAMES, end),
            ]
        )
        expected = self._fingerprint(chunk)
        if expected is not None and not np.allclose(found, expected, rtol=0.0, atol=FINGERPRINT_TOLERANCE):
            raise _changed(path)

    def _fingerprint(self, chunk: int) -> FloatArray | None:
        try:
            kept: FloatArray = self._pool.fingerprints[chunk]
        except PoolError as error:
            with self._lock:
                known, self._unchecked = self._unchecked, True
            if not known:
                _log.warning("%s; until then it is not checked whether songs are what they were", error)
            return None
        return kept

    def close(self) -> None:
        """Close every file and drop every cache; a later read opens what it needs anew.

        A file that another thread reads at this moment is closed by that thread.
        """
        self._files.clear()
        with self._lock:
            self._forgotten += 1
            self._decoded.clear()
            self._blocks.clear()
            self._resamplers.clear()
        self._marks.clear()

    def _to_engine(self, song: int, sample: int) -> int:
        """Round `sample` of a song to the nearest engine frame, halves up."""
        rate_hz = self._pool.songs[song].sample_rate_hz
        return (2 * sample * self.engine_rate_hz + rate_hz) // (2 * rate_hz)

    def _block_lengths(self, song: int) -> tuple[int, int]:
        """Return the length of a block in the song's samples and in engine frames, both whole."""
        rate_hz = self._pool.songs[song].sample_rate_hz
        common = gcd(rate_hz, self.engine_rate_hz)
        periods = max(1, BLOCK_FRAMES * common // self.engine_rate_hz)
        return periods * rate_hz // common, periods * self.engine_rate_hz // common

    def _block(self, song: int, number: int) -> FloatArray:
        key = (song, number)
        with self._lock:
            kept = self._blocks.get(key)
            if kept is not None:
                return kept
            forgotten = self._forgotten
        block = self._resampled_block(song, number)
        highest = 10.0 ** ((self._pool.songs[song].true_peak_db + PEAK_TOLERANCE_DB) / 20.0)
        # Written so that no comparison with NaN passes.
        if not max(block.max(), -block.min()) <= highest:
            raise DecodeError(
                f"{self._pool.songs[song].path} is far louder than the pool says, or is no sound; "
                "run `endlos pool check --deep`, and build the pool anew"
            )
        with self._lock:
            if forgotten == self._forgotten:
                self._blocks.put(key, block)
        return block

    def _resampled_block(self, song: int, number: int) -> FloatArray:
        rate_hz, engine_rate_hz = self._pool.songs[song].sample_rate_hz, self.engine_rate_hz
        block_samples, block_frames = self._block_lengths(song)
        start = number * block_samples
        if rate_hz == engine_rate_hz:
            return self._source(song, start, start + block_samples)
        period_samples = rate_hz // gcd(rate_hz, engine_rate_hz)
        period_frames = engine_rate_hz // gcd(rate_hz, engine_rate_hz)
        roll_samples = _ROLL_SAMPLES * max(1.0, rate_hz / engine_rate_hz)
        roll_periods = int(-(-roll_samples // period_samples))
        # Beyond the ends there is nothing, not zeros: soxr tells the two apart.
        first = max(0, start - roll_periods * period_samples)
        end = min(self._pool.songs[song].frames, start + block_samples + roll_periods * period_samples)
        resampled = self._resamplers.resample(self._source(song, first, end), rate_hz)
        skipped = (start - first) // period_samples * period_frames
        block = np.zeros((block_frames, 2), dtype=np.float32)
        found = resampled[skipped : skipped + block_frames]
        block[: len(found)] = found
        return block

    def _source(self, song: int, start: int, stop: int) -> FloatArray:
        """Return samples of the song at its own rate, zeros outside it."""
        first, end = max(start, 0), min(stop, self._pool.songs[song].frames)
        if (first, end) == (start, stop):
            return self._read_file(song, start, stop)
        audio = np.zeros((stop - start, 2), dtype=np.float32)
        if first < end:
            audio[first - start : end - start] = self._read_file(song, first, end)
        return audio

    def _read_file(self, song: int, start: int, stop: int) -> FloatArray:
        """Read from the open file or copy, and close one that fails: a later read opens it anew."""
        seekable = self._pool.songs[song].seekable
        if not seekable:
            with self._lock:
                whole = self._kept_whole(song)
            if whole is not None:
                return whole[start:stop].copy()
        # One thread opens, reads or decodes a song, which may take seconds; others stay readable meanwhile.
        with self._files.borrowed(song) as handle:
            if seekable and handle.file is not None:
                self._look_again(song, handle)
            try:
                if handle.file is None:
                    handle.file = self._open(song) if seekable else self._open_copy(song)
                if handle.file is not None:
                    return handle.file.read(start, stop)
            except DecodeError as error:
                handle.close()
                if not seekable:
                    self._tell_damaged(song, error)
                elif self._marks.rewritten(song, self._pool.songs[song].path):
                    # In the middle of it: what is in the file now is another matter.
                    handle.file = self._open_anew(song)
                    return handle.file.read(start, stop)
                else:
                    raise
            return self._whole(song)[start:stop].copy()

    def _look_again(self, song: int, handle: Handle) -> None:
        """Open the file of a song anew where a tagger has written into it: all of it may lie elsewhere now.

        Where it cannot be, it goes on from the open one, which may be another that had the name before.
        """
        if self._marks.rewritten(song, self._pool.songs[song].path):
            with suppress(DecodeError):
                fresh = self._open_anew(song)
                handle.close()
                handle.file = fresh

    def _open_anew(self, song: int) -> SongFile:
        """Open the file of a song as it is now, and forget what was read of it before."""
        mark = mark_of(self._pool.songs[song].path)
        file = self._open(song)
        with self._lock:
            self._forget(song)
        self._marks.renew(song, mark)
        return file

    def _forget(self, song: int) -> None:
        """Drop what was read of a song's file; the lock is held."""
        self._forgotten += 1
        self._decoded.pop(song, None)
        self._blocks.forget(song)

    def _open(self, song: int) -> SongFile:
        """Open the file of a seekable song; `DecodeError` when it is no longer the one that was analysed."""
        entry = self._pool.songs[song]
        self._marks.first(song, mark_of(entry.path))
        file = SongFile(entry.path)
        if (file.frames, file.sample_rate_hz) != (entry.frames, entry.sample_rate_hz):
            file.close()
            raise _changed(entry.path)
        return file

    def _open_copy(self, song: int) -> DecodedCopy | None:
        """Open the decoded copy of a song; None when there is none, `DecodeError` when it is damaged."""
        entry = self._pool.songs[song]
        path = decoded_copy(self._pool.folder, entry.audio_hash)
        return DecodedCopy(path, entry.frames) if path.is_file() else None

    def _tell_damaged(self, song: int, error: DecodeError) -> None:
        with self._lock:
            known = song in self._damaged
            self._damaged.add(song)
        if not known:
            _log.warning("%s; until then the song is decoded whole each time", error)

    def _whole(self, song: int) -> FloatArray:
        """Return the whole song, decoded; its file is borrowed by this thread."""
        with self._lock:
            whole, forgotten = self._kept_whole(song), self._forgotten
        if whole is not None:
            return whole
        entry = self._pool.songs[song]
        self._marks.first(song, mark_of(entry.path))
        whole, rate_hz = decode(entry.path)
        if (len(whole), rate_hz) != (entry.frames, entry.sample_rate_hz):
            raise _changed(entry.path)
        with self._lock:
            if forgotten == self._forgotten:
                self._keep_decoded(song, whole)
        return whole

    def _kept_whole(self, song: int) -> FloatArray | None:
        """Return the whole song if it was decoded; the lock is held."""
        if song in self._decoded:
            self._decoded.move_to_end(song)
        return self._decoded.get(song)

    def _keep_decoded(self, song: int, whole: FloatArray) -> None:
        self._decoded[song] = whole
        held_bytes = sum(array.nbytes for array in self._decoded.values())
        while len(self._decoded) > _FEWEST_DECODED and held_bytes > self._decoded_bytes:
            held_bytes -= self._decoded.popitem(last=False)[1].nbytes


def _changed(path: Path) -> DecodeError:
    return DecodeError(f"{path} has changed since the pool was built; run `endlos pool build` again")
