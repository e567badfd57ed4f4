"""This decoder reads through FFmpeg (PyAV) what libsndfile does not read, or not whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.audio.downmix import to_stereo
from stream.audio.reading import AudioBlock, reading
from stream.audio.sections import FileSection, unread_bytes

# Containers in which nothing follows the music but tags; in others an index does.
_PLAIN_CONTAINERS = frozenset({"wv", "tta", "mp3", "aac", "ac3", "eac3", "dts", "flac", "shn", "mpc", "mpc8"})


_RUN_FRAMES = 32
"""So many are made one block: some 30,000 samples."""
_TRIED_S = 1.0
"""So much of a file of unknown kind must be decoded without a fault."""


@dataclass(frozen=True, kw_only=True)
class StreamInfo:
    """What FFmpeg says of a file's audio before any of it is decoded."""

    sample_rate_hz: int
    channels: int
    codec: str


@dataclass(kw_only=True)
class LeftOut:
    """What was not taken of a file; counted while it is decoded."""

    channels: int = 0
    """As the file states them."""
    damaged: int = 0
    """Packets that cannot be decoded."""
    tracks: int = 0
    """Further audio tracks beside the one that is taken."""
    end: int = 0
    """Where the last packet ended."""
    unread_bytes: int = 0
    """What follows the last packet and is no tag."""


def describe(section: FileSection) -> StreamInfo:
    """Return what FFmpeg says of it; `DecodeError` when there is no audio to be opened."""
    with _audio(section) as (_, stream):
        context = stream.codec_context
        return StreamInfo(sample_rate_hz=context.sample_rate, channels=context.channels, codec=context.name)


def packet_frames(section: FileSection) -> float:
    """Return how many frames the packets of a section last; nothing is decoded. `DecodeError` as above."""
    with _audio(section) as (container, stream):
        duration = sum(packet.duration or 0 for packet in _packets(container, stream))
        seconds = float(duration * (stream.time_base or 0))
        return seconds * stream.codec_context.sample_rate


def libav_blocks(section: FileSection, left_out: LeftOut) -> Iterator[AudioBlock]:
    """Yield all frames that can be decoded, at whatever rate they have; what is damaged is left out.

    `DecodeError` when nothing can be decoded.
    """
    with _audio(section) as (container, stream):
        left_out.tracks, left_out.channels = len(container.streams.audio) - 1, stream.codec_context.channels
        decoded = False
        for run in _runs(_frames(container, stream, left_out)):
            decoded = True
            names = [channel.name for channel in run[0].layout.channels]
            yield AudioBlock(samples=to_stereo(_float_samples(run), names), sample_rate_hz=run[0].sample_rate)
        if container.format.name in _PLAIN_CONTAINERS and left_out.end:
            left_out.unread_bytes = _unread(section, left_out.end)
        if not decoded:
            raise DecodeError(f"{section.path} holds no audio that can be decoded; convert it, or remove it")


def holds_audio(path: Path) -> bool:
    """Whether the bytes of a file, whatever its name says, are audio that FFmpeg decodes without a fault.

    By its name FFmpeg would take any file for samples without a header: `.sw` or `.ub`, for example.
    """
    left_out, decoded_s, heard = LeftOut(), 0.0, False
    try:
        with reading(path):
            section = FileSection(path=path, start=0, stop=path.stat().st_size, whole=False)
            for block in libav_blocks(section, left_out):
                decoded_s += len(block.samples) / block.sample_rate_hz
                heard = heard or bool(block.samples.any())
                if decoded_s >= _TRIED_S:
                    break
    except DecodeError:
        return False
    # A file of zeros is many a thing without a header.
    return heard and not left_out.damaged


def _unread(section: FileSection, end: int) -> int:
    with section.path.open("rb") as file:
        return unread_bytes(file, section.start + end, section.stop)


def _packets(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator["av.Packet[av.AudioStream]"]:
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream, left_out: LeftOut
) -> Iterator[av.AudioFrame]:
    """Yield every frame that can be decoded; a damaged packet is left out, a damaged container ends it."""
    for packet in _packets(container, stream):
        left_out.end = max(left_out.end, (packet.pos or 0) + packet.size)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            left_out.damaged += 1
            continue
        for frame in frames:
            if isinstance(frame, av.AudioFrame) and frame.samples > 0:
                yield frame


def _runs(frames: Iterator[av.AudioFrame]) -> Iterator[list[av.AudioFrame]]:
    """Yield frames of one kind together, some at a time: to look at one takes as long as to decode it.

    What comes before an error is yielded before it.
    """
    run: list[av.AudioFrame] = []
    try:
        for frame in frames:
            if run and (len(run) == _RUN_FRAMES or _kind(frame) != _kind(run[0])):
                yield run
                run = []
            run.append(frame)
    except Exception:
        if run:
            yield run
        raise
    if run:
        yield run


def _kind(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _float_samples(run: Sequence[av.AudioFrame]) -> FloatArray:
    """Return frames of one kind, of any format, as `(frames, channels)` float32 in C order, full scale 1."""
    raw = np.concatenate([frame.to_ndarray() for frame in run], axis=1)
    samples: npt.NDArray[Any] = np.ascontiguousarray(
        raw.T if run[0].format.is_planar else raw.reshape(-1, len(run[0].layout.channels))
    )
    if raw.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
    if np.issubdtype(raw.dtype, np.integer):
        # In double precision, so that 24 bits in the upper part of 32 arrive exactly.
        return (samples / 2.0 ** (8 * raw.dtype.itemsize - 1)).astype(np.float32)
    return samples.astype(np.float32, copy=False)


@contextmanager
def _audio(section: FileSection) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    path = section.path
    try:
        # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
        container = av.open(
            section.source(), "r", metadata_errors="replace", options={"protocol_whitelist": "file"}
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        # The library's words without the path, which the sentence names already.
        said = getattr(error, "strerror", None) or type(error).__name__
        raise DecodeError(
            f"{path} is not audio that can be decoded ({said}); convert it, or remove it"
        ) from error
    with container:
        if not container.streams.audio:
            raise DecodeError(f"{path} holds no audio; leave it out, or take a file with sound in it")
        stream = container.streams.audio[0]
        if not stream.codec_context or not stream.codec_context.sample_rate:
            raise DecodeError(f"{path} has audio of an unknown kind; convert it, or remove it")
        # A song is one worker's: FFmpeg would take a thread for each core.
        stream.codec_context.thread_count = 1
        yield container, stream
