"""This decoder reads through FFmpeg (PyAV) what libsndfile does not read, or not whole."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.audio.downmix import to_stereo
from stream.audio.samples import SongSamples, collect


def describe(path: Path) -> tuple[int, int, str]:
    """Return sample rate in Hz, channels and codec; `DecodeError` when there is no audio to be opened."""
    with _audio(path) as (_, stream):
        context = stream.codec_context
        return context.sample_rate, context.channels, context.name


def packet_frames(path: Path) -> float:
    """Return how many frames the packets of a file last; nothing is decoded. `DecodeError` as above."""
    with _audio(path) as (container, stream):
        duration = 0
        with suppress(av.FFmpegError):
            for packet in container.demux(stream):
                duration += packet.duration or 0
        seconds = float(duration * (stream.time_base or 0))
        return seconds * stream.codec_context.sample_rate


def decode_by_libav(path: Path, scratch: Path | None = None) -> tuple[SongSamples, int]:
    """Decode a whole file: `((frames, 2) float32, sample_rate_hz)`; what is damaged is left out.

    scratch: as in `stream.audio.decode.decode`. `DecodeError` when nothing can be decoded, or the sample rate
    changes on the way.
    """
    with _audio(path) as (container, stream):
        frames = _frames(container, stream)
        first = next(frames, None)
        if first is None:
            raise DecodeError(f"{path} holds no audio that can be decoded; convert it, or remove it")
        rate_hz = first.sample_rate
        return collect((_stereo(frame, rate_hz, path) for frame in chain([first], frames)), scratch), rate_hz


def _stereo(frame: av.AudioFrame, sample_rate_hz: int, path: Path) -> FloatArray:
    if frame.sample_rate != sample_rate_hz:
        raise DecodeError(
            f"{path} changes its sample rate from {sample_rate_hz} to {frame.sample_rate} Hz, "
            "expected one rate; convert the file"
        )
    return to_stereo(_float_samples(frame), [channel.name for channel in frame.layout.channels])


def _frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
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
    """Return a frame of any format as `(frames, channels)` float32 in C order, full scale 1."""
    raw = frame.to_ndarray()
    samples: npt.NDArray[Any] = np.ascontiguousarray(
        raw.T if frame.format.is_planar else raw.reshape(-1, len(frame.layout.channels))
    )
    if raw.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
    if np.issubdtype(raw.dtype, np.integer):
        # In double precision, so that 24 bits in the upper part of 32 arrive exactly.
        return (samples / 2.0 ** (8 * raw.dtype.itemsize - 1)).astype(np.float32)
    return samples.astype(np.float32, copy=False)


@contextmanager
def _audio(path: Path) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    try:
        # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
        container = av.open(
            str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file"}
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        # The library's words without the path, which the sentence names already.
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DecodeError(
            f"{path} is not audio that can be decoded ({reason}); convert it, or remove it"
        ) from error
    with container:
        if not container.streams.audio:
            raise DecodeError(f"{path} holds no audio; remove it from the music folder")
        stream = container.streams.audio[0]
        if not stream.codec_context or not stream.codec_context.sample_rate:
            raise DecodeError(f"{path} has audio of an unknown kind; convert it, or remove it")
        yield container, stream
