"""The decoder reads a file of any format whole, or in spans where the file's seeks check out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, overload

import numpy as np
import soundfile

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from model.base.quiet import quiet_c_stderr
from stream.audio.downmix import to_stereo
from stream.audio.samples import LONG_FRAMES, PART_FRAMES, SongSamples, collect

Decoder = Literal["soundfile", "pyav"]

LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000

# Ogg is not among them: libsndfile lands wrong in up to 13 % of its seeks, and elsewhere each time.
_SEEKABLE_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "MP3"})

# An mp3 frame may lean on the 511 bytes before it (the bit reservoir), up to eight frames of 32 kbit/s.
# libmpg123 goes back four, which is wrong in up to 4 % of a file's seeks; eight more were right in all.
_MP3_FRAME_SAMPLES = 1_152
_MP3_PREROLL_SAMPLES = 8 * _MP3_FRAME_SAMPLES
# Encoder delay and padding, which a decoder may leave out, stay below this.
_MP3_MARGIN_SAMPLES = 8 * _MP3_FRAME_SAMPLES


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What a file says about its audio, before any of it is decoded."""

    sample_rate_hz: int
    channels: int
    frames: int | None
    """As the file states it (mp3 may state an estimate); None when it does not say."""
    codec: str
    decoder: Decoder
    """What opens it; a damaged file that libsndfile leaves early may still be decoded by PyAV."""


class SongFile:
    """Spans of one file through libsndfile, by seeking; for one thread at a time.

    Use it only for files that passed `seeks_check_out`. `DecodeError` when libsndfile cannot open the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with quiet_c_stderr():
            try:
                self._file = soundfile.SoundFile(str(path))
            except (soundfile.LibsndfileError, TypeError, OSError) as error:
                raise DecodeError(
                    f"{path} cannot be opened ({_reason(error)}); "
                    "put it back, or run `endlos pool build` again"
                ) from error
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int = self._file.frames
        self.format: str = self._file.format
        self._preroll_frames = _MP3_PREROLL_SAMPLES if self.format == "MP3" else 0

    def read(self, start: int, stop: int) -> FloatArray:
        """Return frames `start` to `stop` of the song, `(stop - start, 2)` float32 at its own rate.

        `DecodeError` when the file does not hold them.
        """
        first = max(0, start - self._preroll_frames)
        with quiet_c_stderr():
            try:
                self._file.seek(first)
                audio = self._file.read(stop - first, dtype="float32", always_2d=True)[start - first :]
            except soundfile.LibsndfileError as error:
                raise DecodeError(
                    f"{self._path} cannot be read at frame {start} ({_reason(error)}); "
                    "run `endlos pool build` again"
                ) from error
        if len(audio) != stop - start:
            raise DecodeError(
                f"{self._path} ends before frame {stop}; it has changed, run `endlos pool build` again"
            )
        return to_stereo(audio)

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        self._file.close()


def probe(path: Path) -> AudioInfo:
    """Return what the file says of itself; `DecodeError` when it holds no audio that can be opened."""
    _require_bytes(path)
    try:
        with quiet_c_stderr(), soundfile.SoundFile(str(path)) as file:
            if file.channels <= 2 and not (file.format == "MP3" and _holds_more(path, file.frames)):
                return AudioInfo(
                    sample_rate_hz=file.samplerate,
                    channels=file.channels,
                    frames=file.frames,
                    codec=file.subtype.lower(),
                    decoder="soundfile",
                )
    except (soundfile.LibsndfileError, TypeError):
        # soundfile's TypeError: a name that ends in .raw, which it takes for samples without a header.
        pass
    sample_rate_hz, channels, codec = _pyav().describe(path)
    return AudioInfo(
        sample_rate_hz=sample_rate_hz, channels=channels, frames=None, codec=codec, decoder="pyav"
    )


@overload
def decode(path: Path, *, scratch: None = None) -> tuple[FloatArray, int]: ...


@overload
def decode(path: Path, *, scratch: Path) -> tuple[SongSamples, int]: ...


def decode(path: Path, *, scratch: Path | None = None) -> tuple[SongSamples, int]:
    """Decode a whole file from its first frame to its last: `((frames, 2) float32, sample_rate_hz)`.

    This is what every span of the song is measured against. Mono is doubled, more than two channels are
    mixed down (`stream.audio.downmix`), the sample rate stays. Of a damaged or truncated file it returns what
    can be decoded. scratch: folder for the samples of a long song (`stream.audio.samples.collect`); None: in
    memory. `DecodeError` when nothing can be decoded, when the file is missing or may not be read, or when
    there is no room for its samples; `OSError` when they cannot be written into `scratch` for another reason.
    """
    _require_bytes(path)
    decoded = _decode_soundfile(path, scratch) or _pyav().decode_by_libav(path, scratch)
    audio, sample_rate_hz = decoded
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise DecodeError(
            f"{path} has a sample rate of {sample_rate_hz} Hz, expected {LOWEST_RATE_HZ} to "
            f"{HIGHEST_RATE_HZ} Hz; convert the file"
        )
    return audio, sample_rate_hz


def seeks_check_out(path: Path, whole: SongSamples, seed: int) -> bool:
    """Return whether spans read by seeking equal the whole decode of `path` bit for bit.

    whole: what `decode` returned. Tried are the first and last frames and random spans (seeded), on fresh
    and on used handles. False for Ogg, for what only PyAV decodes, and where the file states another length.
    """
    try:
        file = SongFile(path)
    except DecodeError:
        return False
    try:
        if file.format not in _SEEKABLE_FORMATS or file.channels > 2 or file.frames != len(whole):
            return False
        for trial, (start, stop) in enumerate(_trial_spans(len(whole), np.random.default_rng(seed))):
            if trial % 12 == 0:
                file.close()
                file = SongFile(path)
            if not np.array_equal(file.read(start, stop), whole[start:stop]):
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
    for _ in range(86):
        length = min(int(random.choice(lengths)), frames)
        start = int(random.integers(0, frames - length + 1))
        yield start, start + length


def _stereo_blocks(file: soundfile.SoundFile) -> Iterator[FloatArray]:
    """Yield the frames of a file, `(n, 2)` float32 each: as many as it states, or until it is damaged."""
    # Where it may seek, python-soundfile does so between two reads, and not every format survives that.
    file.seekable = lambda: False
    left: int = file.frames
    while left > 0:
        block = file.read(min(left, PART_FRAMES), dtype="float32", always_2d=True)
        if not len(block):
            return
        left -= len(block)
        yield to_stereo(block)


def _decode_soundfile(path: Path, scratch: Path | None) -> tuple[SongSamples, int] | None:
    """Decode what libsndfile opens; None where PyAV does better.

    More than two channels are PyAV's, which knows the loudspeakers' order in every format. Of an mp3
    without a Xing header libsndfile reads the length that it estimates, and may drop most of the song; it
    also gives up at a damaged place.
    """
    try:
        with quiet_c_stderr(), soundfile.SoundFile(str(path)) as file:
            if file.channels > 2:
                return None
            if scratch is not None and file.frames > LONG_FRAMES:
                audio: SongSamples = collect(_stereo_blocks(file), scratch)
            else:
                # One read: between two it would seek (`_stereo_blocks`).
                audio = to_stereo(file.read(dtype="float32", always_2d=True))
            sample_rate_hz, container = file.samplerate, file.format
    except (soundfile.LibsndfileError, TypeError, MemoryError):
        return None
    if len(audio) == 0:
        return None
    if container == "MP3" and _holds_more(path, len(audio)):
        try:
            more: tuple[SongSamples, int] = _pyav().decode_by_libav(path, scratch)
        except DecodeError:
            return audio, sample_rate_hz
        if len(more[0]) / more[1] > len(audio) / sample_rate_hz:
            return more
    return audio, sample_rate_hz


def _holds_more(path: Path, frames: int) -> bool:
    """Return whether the packets of an mp3 last clearly longer than `frames`; nothing is decoded."""
    try:
        packet_frames: float = _pyav().packet_frames(path)
    except DecodeError:
        return False
    return packet_frames > frames + _MP3_MARGIN_SAMPLES


def _pyav() -> ModuleType:
    """Return `stream.audio.decode_pyav`: what libsndfile plays needs no FFmpeg."""
    from stream.audio import decode_pyav

    return decode_pyav


def _require_bytes(path: Path) -> None:
    """Raise `DecodeError` for what is no readable, non-empty file."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise DecodeError(f"{path} is an empty file; copy it again, or remove it")
    except FileNotFoundError:
        raise DecodeError(f"{path} is missing; put it back, or build the pool again") from None
    except IsADirectoryError:
        raise DecodeError(f"{path} is a folder, expected an audio file") from None
    except PermissionError:
        raise DecodeError(f"{path} may not be read by this user; change its permissions") from None
    except OSError as error:
        raise DecodeError(f"{path} cannot be read ({_reason(error)}); check its disk") from error


def _reason(error: Exception) -> str:
    """Return the library's words without the path, which the sentence names already."""
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string).rstrip(".")
    return str(getattr(error, "strerror", None) or type(error).__name__)
