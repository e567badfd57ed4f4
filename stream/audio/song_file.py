"""A song file is read in spans, where that was found to give what the whole decode gives."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.audio.downmix import to_stereo
from stream.audio.reading import reading
from stream.audio.samples import SongSamples

# Ogg is not among them: libsndfile lands wrong in up to 13 % of its seeks, and elsewhere each time.
_SEEKABLE_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "MP3"})

# An mp3 frame may lean on the 511 bytes before it (the bit reservoir), up to eight frames of 32 kbit/s.
# libmpg123 goes back four, which is wrong in up to 4 % of a file's seeks; eight more were right in all.
_MP3_FRAME_SAMPLES = 1_152
_MP3_PREROLL_SAMPLES = 8 * _MP3_FRAME_SAMPLES

_KEPT_FRAMES = 4_096
"""So far back a read may begin that goes on: resampled pages overlap a little."""

# A fresh handle looks for its first place from the beginning, which takes as long as ten others.
_TRIALS_OF_A_HANDLE = 32
_RANDOM_TRIALS = 54


class SongFile:
    """Spans of one file through libsndfile, by seeking; for one thread at a time.

    Use it only for files that passed `seeks_check_out`. `DecodeError` when libsndfile cannot open the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with reading(path, "put it back, or run `endlos pool build` again", "be opened"):
            self._file = soundfile.SoundFile(str(path))
        # Where it may seek, python-soundfile does so after each read, which takes as long as the read.
        self._file.seekable = lambda: False
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int = self._file.frames
        self.format: str = self._file.format
        self._preroll_frames = _MP3_PREROLL_SAMPLES if self.format == "MP3" else 0
        # The next read may go on at `_at`, and need some of the frames before it.
        self._at = 0
        self._before: FloatArray = np.empty((0, 2), dtype=np.float32)

    def read(self, start: int, stop: int) -> FloatArray:
        """Return frames `start` to `stop` of the song, `(stop - start, 2)` float32 at its own rate.

        `DecodeError` when the file does not hold them.
        """
        at, before = self._at, self._before
        self._at, self._before = 0, before[:0]
        goes_on = at - len(before) <= start <= at < stop and at > 0
        # To seek is to decode a quarter of a page once more.
        first = at if goes_on else max(0, start - self._preroll_frames)
        with reading(self._path, "run `endlos pool build` again", f"be read at frame {start}"):
            if not goes_on:
                self._file.seek(first)
            audio = to_stereo(self._file.read(stop - first, dtype="float32", always_2d=True))
        if len(audio) != stop - first:
            raise DecodeError(
                f"{self._path} ends before frame {stop}; it has changed, run `endlos pool build` again"
            )
        if start < first:
            audio = np.concatenate([before[start - first :], audio])
        self._at, self._before = stop, audio[-_KEPT_FRAMES:].copy()
        return audio[max(0, start - first) :]

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        self._file.close()


def seeks_check_out(path: Path, whole: SongSamples, seed: int) -> bool:
    """Return whether spans read by seeking, and going on from there, equal the whole decode bit for bit.

    whole: what `decode` returned of `path`. Tried are the first and last frames and random spans (seeded), on
    fresh and on used handles. False for Ogg, for what only PyAV decodes, and where the file states another
    length.
    """
    try:
        file = SongFile(path)
    except DecodeError:
        return False
    try:
        if file.format not in _SEEKABLE_FORMATS or file.channels > 2 or file.frames != len(whole):
            return False
        for trial, (start, stop) in enumerate(_trial_spans(len(whole), np.random.default_rng(seed))):
            if trial % _TRIALS_OF_A_HANDLE == 0:
                file.close()
                file = SongFile(path)
            further = min(2 * stop - start, len(whole))
            for first, end in ((start, stop), ((start + stop) // 2, further)):
                if not np.array_equal(file.read(first, end), whole[first:end]):
                    return False
    except DecodeError:
        return False
    finally:
        file.close()
    return True


def _trial_spans(frames: int, random: np.random.Generator) -> Iterator[tuple[int, int]]:
    lengths = [1, 16, 576, 4_096, 8_192]
    for length in lengths:
        length = min(length, frames)
        yield frames - length, frames
        yield 0, length
    for _ in range(_RANDOM_TRIALS):
        length = min(int(random.choice(lengths)), frames)
        start = int(random.integers(0, frames - length + 1))
        yield start, start + length
