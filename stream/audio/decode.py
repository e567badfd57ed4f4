"""The decoder reads a file of any format whole, and every span of the song is measured against that."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import soundfile
import soxr

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.audio.downmix import to_stereo
from stream.audio.reading import AudioBlock, reading, reason
from stream.audio.samples import SongSamples, collect
from stream.audio.sections import FileSection, find_sections
from stream.audio.stated import lacking_told, stated_frames

if TYPE_CHECKING:
    from stream.audio.coded import CodedAudio
    from stream.audio.decode_pyav import LeftOut

Decoder = Literal["soundfile", "pyav"]

LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000

_READ_FRAMES = 1 << 16
"""So much is read at a time: it is looked at and put into its place while it is in a near cache."""
_CODEC_MARGIN_FRAMES = 8 * 1_152
"""Encoder delay and padding, which a decoder may leave out, stay below this."""
_PLAIN_MARGIN_FRAMES = 64
"""The same for lossless files: a frame that was cut off counts with the one and not with the other."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """A whole song: samples `(frames, 2)` float32 at its own rate."""

    samples: SongSamples
    sample_rate_hz: int
    channels: int
    """As the file has them, before they become two."""
    left_out: tuple[str, ...] = ()
    """What of the file is not among them, in words; nothing of an ordinary file."""
    plain: bool = True
    """Whether it is one file as it stands, not several in a row nor one whose header had to be mended."""


def probe(path: Path) -> AudioInfo:
    """Return what the file says of itself; `DecodeError` when it holds no audio that can be opened."""
    _require_bytes(path)
    whole = FileSection(path=path, start=0, stop=0, whole=True)
    try:
        with reading(path), soundfile.SoundFile(str(path)) as file:
            if file.channels <= 2 and not (
                file.format == "MP3" and _holds_more(whole, file, file.frames, None)
            ):
                return AudioInfo(
                    sample_rate_hz=file.samplerate,
                    channels=file.channels,
                    frames=stated_frames(file),
                    codec=file.subtype.lower(),
                    decoder="soundfile",
                )
    except DecodeError:
        # It may be FFmpeg's.
        pass
    from stream.audio.decode_pyav import describe

    with reading(path):
        info = describe(whole)
    return AudioInfo(
        sample_rate_hz=info.sample_rate_hz,
        channels=info.channels,
        frames=None,
        codec=info.codec,
        decoder="pyav",
    )


@overload
def decode(path: Path, *, scratch: None = None) -> tuple[FloatArray, int]: ...


@overload
def decode(path: Path, *, scratch: Path) -> tuple[SongSamples, int]: ...


def decode(path: Path, *, scratch: Path | None = None) -> tuple[SongSamples, int]:
    """Return samples and sample rate of `decode_song`."""
    decoded = decode_song(path, scratch=scratch)
    return decoded.samples, decoded.sample_rate_hz


def decode_song(path: Path, *, scratch: Path | None = None, coded: "CodedAudio | None" = None) -> Decoded:
    """Decode a whole file from its first frame to its last.

    Mono is doubled, more than two channels are mixed down (`stream.audio.downmix`), the sample rate stays;
    where it changes on the way, the rest is resampled to the first. No length that a file states is trusted:
    it is read to its end, every file in it (`stream.audio.sections`), and what is not taken is said.
    scratch: folder for the samples of a long song (`stream.audio.samples.collect`); None: in memory. coded:
    what the packets of the file say, where they are read already.
    `DecodeError` when nothing can be decoded, when the file is missing or may not be read, or when there is
    no room for its samples; `OSError` when they cannot be written into `scratch` for another reason.
    """
    _require_bytes(path)
    with reading(path):
        found = find_sections(path)
    left_out: list[str] = []
    if len(found.sections) == 1:
        section = found.sections[0]
        heard = _decode_section(section, scratch, left_out, coded if section.whole else None)
    else:
        parts = _all_sections(found.sections, left_out)
        first = next(parts, None)
        if first is None:
            raise DecodeError(f"{path} holds no audio that can be decoded; convert it, or remove it")
        blocks = (
            AudioBlock(samples=np.asarray(part.samples), sample_rate_hz=part.sample_rate_hz)
            for part in chain([first], parts)
        )
        samples = collect((block.samples for block in _at_one_rate(blocks)), scratch)
        heard = replace(first, samples=samples)
    if found.unread_bytes:
        left_out.append(_unread(found.unread_bytes))
    if not LOWEST_RATE_HZ <= heard.sample_rate_hz <= HIGHEST_RATE_HZ:
        raise DecodeError(
            f"{path} has a sample rate of {heard.sample_rate_hz} Hz, expected {LOWEST_RATE_HZ} to "
            f"{HIGHEST_RATE_HZ} Hz; convert the file"
        )
    return Decoded(
        samples=heard.samples,
        sample_rate_hz=heard.sample_rate_hz,
        channels=heard.channels,
        left_out=tuple(dict.fromkeys(left_out)),
        plain=found.sections[0].whole,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Heard:
    """What was decoded of a section."""

    samples: SongSamples
    sample_rate_hz: int
    channels: int


def _all_sections(sections: tuple[FileSection, ...], left_out: list[str]) -> Iterator[_Heard]:
    """Yield each section whole; one that cannot be decoded is left out."""
    for number, section in enumerate(sections, 1):
        try:
            yield _decode_section(section, None, left_out, None)
        except DecodeError:
            left_out.append(f"part {number} of the {len(sections)} that it consists of")


def _decode_section(
    section: FileSection, scratch: Path | None, left_out: list[str], coded: "CodedAudio | None"
) -> _Heard:
    """Decode by libsndfile, or by PyAV where that does better."""
    heard, complete = _by_libsndfile(section, scratch, left_out, coded)
    if complete:
        return heard
    said: list[str] = []
    try:
        more = _by_libav(section, scratch, said)
    except DecodeError:
        if len(heard.samples):
            return heard
        raise
    if (
        len(heard.samples)
        and len(more.samples) / more.sample_rate_hz <= len(heard.samples) / heard.sample_rate_hz
    ):
        return heard
    left_out += said
    return more


def _by_libsndfile(
    section: FileSection, scratch: Path | None, left_out: list[str], coded: "CodedAudio | None"
) -> tuple[_Heard, bool]:
    """Return what is there, and whether PyAV would not find more; no samples where libsndfile has none.

    More than two channels are PyAV's, which knows the loudspeakers' order in every format. Of an mp3
    without a Xing header libsndfile reads the length that it estimates, of a FLAC the one that is stated,
    and may drop most of the song; it also gives up at a damaged place.
    """
    nothing = np.zeros((0, 2), dtype=np.float32)
    source = section.source()
    try:
        with reading(section.path), soundfile.SoundFile(source) as file:
            rate_hz, stated, channels = file.samplerate, stated_frames(file), file.channels
            if channels > 2:
                return _Heard(samples=nothing, sample_rate_hz=rate_hz, channels=channels), False
            samples = collect(_libsndfile_blocks(section.path, file), scratch, expected=stated or 0)
            complete = len(samples) > 0 and not _holds_more(section, file, len(samples), coded)
            if complete:
                # Of an MP3 it is an estimate.
                given = 0 if file.format == "MP3" else stated or 0
                left_out += lacking_told(section, len(samples), given, rate_hz)
            return _Heard(samples=samples, sample_rate_hz=rate_hz, channels=channels), complete
    except DecodeError:
        return _Heard(samples=nothing, sample_rate_hz=LOWEST_RATE_HZ, channels=0), False
    finally:
        if not isinstance(source, str):
            source.close()


def _libsndfile_blocks(path: Path, file: soundfile.SoundFile) -> Iterator[FloatArray]:
    """Yield the frames of a file, `(n, 2)` float32 each, until none comes: what it states may be wrong."""
    # Where it may seek, python-soundfile does so between two reads, and not every format survives that.
    file.seekable = lambda: False
    while True:
        with reading(path):
            block = to_stereo(file.read(_READ_FRAMES, dtype="float32", always_2d=True))
        if not len(block):
            return
        yield block


def _by_libav(section: FileSection, scratch: Path | None, left_out: list[str]) -> _Heard:
    from stream.audio.decode_pyav import LeftOut

    counted = LeftOut()
    blocks = _at_one_rate(_read(section, counted))
    first = next(blocks, None)
    assert first is not None, "libav_blocks raises where there is nothing"
    samples = collect((block.samples for block in chain([first], blocks)), scratch)
    if counted.damaged:
        left_out.append(f"{counted.damaged} damaged place{'s' if counted.damaged > 1 else ''}")
    if counted.unread_bytes:
        left_out.append(_unread(counted.unread_bytes))
    if counted.tracks:
        left_out.append(f"{counted.tracks} of its {counted.tracks + 1} audio tracks: the first is taken")
    if not left_out:
        left_out += lacking_told(section, len(samples), 0, first.sample_rate_hz)
    return _Heard(samples=samples, sample_rate_hz=first.sample_rate_hz, channels=counted.channels)


def _read(section: FileSection, counted: "LeftOut") -> Iterator[AudioBlock]:
    """Yield what libav decodes; what it raises after the first block ends it, as damage does."""
    from stream.audio.decode_pyav import libav_blocks

    blocks = libav_blocks(section, counted)
    any_came = False
    while True:
        try:
            with reading(section.path):
                block = next(blocks, None)
        except DecodeError:
            if not any_came:
                raise
            counted.damaged += 1
            return
        if block is None:
            return
        any_came = True
        yield block


def _at_one_rate(blocks: Iterator[AudioBlock]) -> Iterator[AudioBlock]:
    """Yield blocks at the rate of the first one; those of another rate are resampled, each run on its own."""
    rate_hz = 0
    run_hz = 0
    stream: soxr.ResampleStream | None = None

    def resampled(samples: FloatArray, *, last: bool) -> AudioBlock:
        assert stream is not None
        return AudioBlock(samples=stream.resample_chunk(samples, last=last), sample_rate_hz=rate_hz)

    nothing = np.zeros((0, 2), dtype=np.float32)
    for block in blocks:
        rate_hz = rate_hz or block.sample_rate_hz
        if block.sample_rate_hz != run_hz:
            if stream is not None:
                yield resampled(nothing, last=True)
            run_hz = block.sample_rate_hz
            stream = (
                soxr.ResampleStream(run_hz, rate_hz, 2, dtype="float32", quality="VHQ")
                if run_hz != rate_hz
                else None
            )
        yield block if stream is None else resampled(np.ascontiguousarray(block.samples), last=False)
    if stream is not None:
        yield resampled(nothing, last=True)


def _unread(size_bytes: int) -> str:
    return f"{size_bytes} bytes after the end of its audio"


def _holds_more(
    section: FileSection, file: soundfile.SoundFile, frames: int, coded: "CodedAudio | None"
) -> bool:
    """Return whether the packets of a file last clearly longer than `frames`; nothing is decoded."""
    from stream.audio.decode_pyav import packet_frames

    if coded is not None:
        lasts = coded.frames
    else:
        try:
            with reading(section.path):
                lasts = packet_frames(section)
        except DecodeError:
            return False
    lossless = file.format == "FLAC" or file.subtype.startswith(("PCM_", "FLOAT", "DOUBLE"))
    margin = _PLAIN_MARGIN_FRAMES if lossless else _CODEC_MARGIN_FRAMES
    return lasts > frames + margin


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
        raise DecodeError(f"{path} cannot be read ({reason(error)}); check its disk") from error
