"""The file output writes the stream beside its place and renames it, so that no half file is readable."""

import glob
import logging
import math
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

import numpy as np
import soundfile
import soxr

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from model.base.files import PART_SUFFIX, is_left_behind, what_to_do
from model.base.kept import set_aside, unused
from stream.outputs.encoding.audio_tags import AudioTags, id3_tag
from stream.outputs.encoding.bitrates import require_bitrate
from stream.outputs.encoding.codecs import OPUS_RATE_HZ, Codec
from stream.outputs.encoding.coder import BinaryFile, Coder, CoderError
from stream.outputs.encoding.disk_file import DiskFile
from stream.outputs.encoding.encoder import open_coder
from stream.outputs.encoding.pcm import beyond_full_scale, whole_samples

_PCM_EXTENSIONS = (".wav", ".flac")
EXTENSIONS = (*_PCM_EXTENSIONS, ".mp3", ".ogg", ".opus")
DEFAULT_BITS: Literal[24] = 24
"""Of .wav and .flac."""
MAX_WAV_BYTES = (1 << 32) - (1 << 17)
"""A WAV file counts its bytes in 32 bits, those of its tags too."""

_log = logging.getLogger(__name__)

_NO_TAGS = AudioTags()
_ENCODER_ERRORS = (CoderError, soundfile.LibsndfileError)
_CODECS: dict[str, Codec] = {".mp3": "mp3", ".ogg": "vorbis", ".opus": "opus"}
_DEFAULT_KBPS = {".mp3": 192, ".ogg": 192, ".opus": 128}


class AudioFileWriter:
    """A context manager: `write` blocks; leaving it finishes the file, or removes it after an exception.

    After a failure, of the stream or of the disk, `keep_incomplete` keeps what was written.
    """

    def __init__(
        self,
        path: Path,
        sample_rate_hz: int,
        bits: Literal[16, 24],
        bitrate_kbps: int,
        tags: AudioTags,
        *,
        keep: bool = False,
    ) -> None:
        self.path = path
        self._keep = keep
        self.frames = 0
        """Frames taken so far, at the stream's rate."""
        self.most_frames = _most_frames(path.suffix.lower(), bits)
        """So many can be taken."""
        # What is kept has a name of its own: no render removes it, and nobody who sees other processes.
        name = f"{path.name}.live" if keep else path.name
        self._part = path.with_name(f"{name}.{os.getpid()}{PART_SUFFIX}")
        kind = path.suffix.lower()
        for left in path.parent.glob(f"{glob.escape(name)}.[0-9]*{PART_SUFFIX}"):
            # What a run that was killed had written of the same file; in a container it had our number.
            if left == self._part or is_left_behind(left):
                self._clear(left)
        try:
            self._disk = DiskFile(self._part)
        except OSError as error:
            raise _cannot_write(path, error) from error
        rate_hz = OPUS_RATE_HZ if kind == ".opus" else sample_rate_hz
        self._resampler = (
            soxr.ResampleStream(sample_rate_hz, rate_hz, 2, dtype="float32")
            if rate_hz != sample_rate_hz
            else None
        )
        if kind == ".mp3":
            self._disk.write(id3_tag(tags))
            self._disk.begin_here()
        try:
            codec = _CODECS.get(kind)
            self._coder: Coder = (
                _PcmCoder(self._disk, rate_hz, kind, bits, tags)
                if codec is None
                else open_coder(self._disk, codec, rate_hz, bitrate_kbps, live=False, tags=tags.fields())
            )
        except (*_ENCODER_ERRORS, ValueError) as error:
            self._disk.forget()
            self._disk.close()
            self._part.unlink(missing_ok=True)
            raise OutputError(
                f"{path} cannot be encoded at {rate_hz} Hz ({error}); choose another format or rate"
            ) from error
        self._open = True
        self._encoded = False

    def _clear(self, left: Path) -> None:
        if not (self._keep and left.stat().st_size):
            with suppress(OSError):
                left.unlink()
            return
        try:
            kept = left.rename(self._incomplete())
        except OSError as error:
            raise _cannot_write(self._incomplete(), error) from error
        _log.warning("what a run that was cut off had written of %s is kept in %s", self.path, kept)

    def _incomplete(self) -> Path:
        return unused(self.path.with_name(f"{self.path.stem}.incomplete{self.path.suffix}"))

    @property
    def size_bytes(self) -> int:
        """Bytes of the file so far; an encoder may hold some back. Any thread."""
        return self._disk.size_bytes

    @property
    def clipped_samples(self) -> int:
        """Samples beyond full scale, which were clipped (of .wav and .flac; the others take them)."""
        return self._coder.clipped_samples if isinstance(self._coder, _PcmCoder) else 0

    def write(self, block: FloatArray) -> None:
        """Append `(frames, 2)` float32; `OutputError` when the disk is full."""
        self.frames += len(block)
        if self._resampler is not None:
            block = cast(FloatArray, self._resampler.resample_chunk(np.ascontiguousarray(block)))
        self._coder.encode(block)
        self._check()

    def close(self) -> None:
        """Finish the file and give it its name; `OutputError` when that fails: then it can be kept so far."""
        if self._open:
            self._end_coder()
            self._check()
            self._name(self.path)

    def keep_incomplete(self) -> Path | None:
        """Finish the file, as far as it came, under another name; return that, or None.

        None where there is nothing to keep, or it cannot be. What a full disk had no room for is missing.
        """
        if not (self._open and self.frames):
            return None
        target = self._incomplete()
        try:
            self._end_coder()
            self._name(target)
        except (OutputError, *_ENCODER_ERRORS):
            self.abandon()
            return None
        return target

    def _end_coder(self) -> None:
        """Have the encoder write what is left, once."""
        if self._encoded:
            return
        self._encoded = True
        if self._resampler is not None:
            nothing = np.zeros((0, 2), dtype=np.float32)
            self._coder.encode(cast(FloatArray, self._resampler.resample_chunk(nothing, last=True)))
        self._coder.close()

    def _name(self, target: Path) -> None:
        try:
            self._disk.close()
            kept = set_aside(target) if self._keep else None
            if kept is not None:
                _log.warning("%s is finished; what was there before is kept as %s", target, kept)
            self._part.replace(target)
        except OSError as error:
            raise _cannot_write(target, error) from error
        self._open = False

    def abandon(self) -> None:
        """Give up: remove what was written; a file of the same name from before stays as it is."""
        if self._open:
            self._open = False
            self._disk.forget()
            with suppress(*_ENCODER_ERRORS):
                self._coder.close()
            self._disk.close()
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.abandon()

    def _check(self) -> None:
        if self._disk.fault is not None:
            raise _cannot_write(self.path, self._disk.fault) from self._disk.fault


def open_audio_file(
    path: Path,
    sample_rate_hz: int,
    bits: int | None = None,
    bitrate_kbps: int | None = None,
    frames: int | None = None,
    tags: AudioTags = _NO_TAGS,
    *,
    keep: bool = False,
) -> AudioFileWriter:
    """Open an audio file for writing; its extension says the format, `OutputError` when it cannot be.

    bits, bitrate_kbps: as `require_audio_file` takes them; None: `DEFAULT_BITS`, and 192 kbit/s (.opus: 128).
    frames: how many will be written, where that is known, so that too many are refused now not hours later.
    tags: what the file says of itself beside its mark. keep: set aside what has the name when the file gets
    it, rather than replace it, and keep what a killed run left as incomplete, rather than remove it.
    """
    require_audio_file(path, bits, bitrate_kbps)
    kind = path.suffix.lower()
    width: Literal[16, 24] = 16 if bits == 16 else DEFAULT_BITS
    if kind == ".wav" and (frames or 0) > _most_frames(kind, width):
        raise OutputError(f"{path} would be longer than 4 GiB, where a .wav file ends; write a .flac file")
    kbps = bitrate_kbps or _DEFAULT_KBPS.get(kind, 0)
    return AudioFileWriter(path, sample_rate_hz, width, kbps, tags, keep=keep)


def has_bits(path: Path) -> bool:
    """Return whether the samples of such a file have a width, which can be chosen; else it has a bit rate."""
    return path.suffix.lower() in _PCM_EXTENSIONS


def require_audio_file(path: Path, bits: int | None = None, bitrate_kbps: int | None = None) -> None:
    """Raise `OutputError` where no audio file can be written: its extension, its folder, how it is encoded.

    bits: of .wav and .flac, 16 or 24. bitrate_kbps: of the others, one that the codec has (`bitrates`).
    """
    kind = path.suffix.lower()
    if kind not in EXTENSIONS:
        raise OutputError(f"{path} has no known audio extension; expected one of {', '.join(EXTENSIONS)}")
    require_encoding(path, bits, bitrate_kbps)
    try:
        parent_is_folder, is_folder = path.parent.is_dir(), path.is_dir()
    except OSError as error:
        raise _cannot_write(path, error) from error
    if not parent_is_folder:
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}; make it first")
    if is_folder:
        raise OutputError(f"{path} cannot be written: it is a folder; give the name of a file")


def require_encoding(path: Path, bits: int | None, bitrate_kbps: int | None) -> None:
    """Raise `OutputError` for a width or a bit rate that a file of that extension cannot have."""
    kind = path.suffix.lower()
    codec = _CODECS.get(kind)
    if bits is not None and codec is not None:
        raise OutputError(
            f"{path} is asked for with {bits} bits; {kind} files have a bit rate instead, leave the bits out"
        )
    if bits not in (None, 16, 24):
        raise OutputError(f"{path} is asked for with {bits} bits; expected 16 or 24")
    if bitrate_kbps is not None and codec is not None:
        require_bitrate(codec, bitrate_kbps, str(path))
    if bitrate_kbps is not None and kind in _PCM_EXTENSIONS:
        raise OutputError(
            f"{path} is asked for with {bitrate_kbps} kbit/s; {kind} files have bits instead, 16 or 24, "
            "leave the bit rate out"
        )


def _most_frames(kind: str, bits: int) -> float:
    return MAX_WAV_BYTES // (2 * bits // 8) if kind == ".wav" else math.inf


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path} cannot be written ({error.strerror or error}); {what_to_do(error)}")


class _PcmCoder:
    """Integer samples into WAV or FLAC through libsndfile, rounded here."""

    def __init__(
        self, file: BinaryFile, rate_hz: int, kind: str, bits: Literal[16, 24], tags: AudioTags
    ) -> None:
        self._bits = bits
        self.clipped_samples = 0
        self._file = soundfile.SoundFile(
            file, "w", rate_hz, 2, format=kind[1:].upper(), subtype=f"PCM_{bits}"
        )
        for name, text in tags.fields().items():
            setattr(self._file, name, text)

    def encode(self, block: FloatArray) -> None:
        self.clipped_samples += beyond_full_scale(block)
        samples = whole_samples(block, self._bits)
        # libsndfile takes 24 bits from the upper end of 32.
        self._file.write(samples.astype(np.int16) if self._bits == 16 else samples << 8)

    def close(self) -> None:
        self._file.close()
