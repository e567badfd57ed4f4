"""Decodes a file of any format: whole, as the truth, or in spans of a file whose seeks check out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import soundfile

from model.errors import DecodeError
from model.kernels import FloatArray
from stream.downmix import to_stereo
from stream.quiet import quiet_c_stderr

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
    with _pyav_audio(path) as (_, stream):
        context = stream.codec_context
        return AudioInfo(
            sample_rate_hz=context.sample_rate,
            channels=context.channels,
            frames=None,
            codec=context.name,
            decoder="pyav",
        )


def decode(path: Path) -> tuple[FloatArray, int]:
    """Decode a whole file from its first frame to its last: `((frames, 2) float32, sample_rate_hz)`.

    This is what every span of the song is measured against. Mono is doubled, more than two channels are
    mixed down (`stream.downmix`), the sample rate stays. Of a damaged or truncated file it returns what can
    be decoded. `DecodeError` when that is nothing, or when the file is missing or may not be read.
    """
    _require_bytes(path)
    decoded = _decode_soundfile(path)
    if decoded is None:
        decoded = _decode_pyav(path)
    audio, sample_rate_hz = decoded
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise DecodeError(
            f"{path} has a sample rate of {sample_rate_hz} Hz, expected {LOWEST_RATE_HZ} to "
            f"{HIGHEST_RATE_HZ} Hz; convert the file"
        )
    return audio, sample_rate_hz


def seeks_check_out(path: Path, whole: FloatArray, seed: int) -> bool:
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


def _decode_soundfile(path: Path) -> tuple[FloatArray, int] | None:
    """Decode what libsndfile opens; None where PyAV does better.

    More than two channels are PyAV's, which knows the loudspeakers' order in every format. Of an mp3
    without a Xing header libsndfile reads the length that it estimates, and may drop most of the song; it
    also gives up at a damaged place.
    """
    try:
        with quiet_c_stderr(), soundfile.SoundFile(str(path)) as file:
            if file.channels > 2:
                return None
            # One read: between two, python-soundfile seeks, and not every format survives that.
            audio = to_stereo(file.read(dtype="float32", always_2d=True))
            sample_rate_hz, container = file.samplerate, file.format
    except (soundfile.LibsndfileError, TypeError, MemoryError):
        return None
    if len(audio) == 0:
        return None
    if container == "MP3" and _holds_more(path, len(audio)):
        try:
            more = _decode_pyav(path)
        except DecodeError:
            return audio, sample_rate_hz
        if len(more[0]) / more[1] > len(audio) / sample_rate_hz:
            return more
    return audio, sample_rate_hz


def _holds_more(path: Path, frames: int) -> bool:
    """Return whether the packets of an mp3 last clearly longer than `frames`; nothing is decoded."""
    try:
        with _pyav_audio(path) as (container, stream):
            duration = 0
            try:
                for packet in container.demux(stream):
                    duration += packet.duration or 0
            except av.FFmpegError:
                pass
            seconds = float(duration * (stream.time_base or 0))
            total_frames = seconds * stream.codec_context.sample_rate
    except DecodeError:
        return False
    return total_frames > frames + _MP3_MARGIN_SAMPLES


def _decode_pyav(path: Path) -> tuple[FloatArray, int]:
    parts: list[FloatArray] = []
    sample_rate_hz = 0
    with _pyav_audio(path) as (container, stream):
        for frame in _pyav_frames(container, stream):
            if sample_rate_hz == 0:
                sample_rate_hz = frame.sample_rate
            elif frame.sample_rate != sample_rate_hz:
                raise DecodeError(
                    f"{path} changes its sample rate from {sample_rate_hz} to {frame.sample_rate} Hz, "
                    "expected one rate; convert the file"
                )
            parts.append(
                to_stereo(_float_samples(frame), [channel.name for channel in frame.layout.channels])
            )
    if not parts:
        raise DecodeError(f"{path} holds no audio that can be decoded; convert it, or remove it")
    return np.concatenate(parts), sample_rate_hz


def _pyav_frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Yield every frame that can be decoded; a damaged packet is left out, a damaged container ends it."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            if isinstance(frame, av.AudioFrame) and frame.samples > 0:
                yield frame


def _float_samples(frame: av.AudioFrame) -> FloatArray:
    """Return the samples of a frame of any format as `(frames, channels)` float32, full scale 1."""
    raw = frame.to_ndarray()
    samples = raw.T if frame.format.is_planar else raw.reshape(-1, len(frame.layout.channels))
    if raw.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
    if np.issubdtype(raw.dtype, np.integer):
        # In double precision, so that 24 bits in the upper part of 32 arrive exactly.
        return (samples / 2.0 ** (8 * raw.dtype.itemsize - 1)).astype(np.float32)
    return np.ascontiguousarray(samples, dtype=np.float32)


@contextmanager
def _pyav_audio(path: Path) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    try:
        # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
        container = av.open(
            str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file"}
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(
            f"{path} is not audio that can be decoded ({_reason(error)}); convert it, or remove it"
        ) from error
    with container:
        if not container.streams.audio:
            raise DecodeError(f"{path} holds no audio; remove it from the music folder")
        stream = container.streams.audio[0]
        if not stream.codec_context or not stream.codec_context.sample_rate:
            raise DecodeError(f"{path} has audio of an unknown kind; convert it, or remove it")
        yield container, stream


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
