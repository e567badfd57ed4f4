"""A segmenter encodes the stream for one variant and cuts it into segments, in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import soxr
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.encoding.codecs import OPUS_RATE_HZ
from stream.outputs.encoding.coder import Cutter, tame
from stream.outputs.encoding.pcm import whole_samples
from stream.outputs.hls.boxes import AudioPacket, fragment, init_section
from stream.outputs.hls.variant import HlsCodec, HlsVariant

_ENCODERS: dict[HlsCodec, tuple[str, str]] = {
    "aac": ("aac", "fltp"),
    "flac": ("flac", "s16"),
    "opus": ("libopus", "flt"),
}
"""FFmpeg's name, and the samples that it takes."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Some seconds of the stream, as one file has them."""

    data: bytes
    begin_s: float
    """Of the run, which began with the segmenter."""
    length_s: float
    """What its packets last, exactly: a player adds these up."""


class Segmenter:
    """Takes blocks, returns segments; belongs to one thread.

    A segment ends with the first packet that reaches a multiple of `segment_s`, counted from the begin of the
    run; so segments are as long as asked for on average, and those of all variants begin at nearly the same
    moments.
    """

    def __init__(self, variant: HlsVariant, engine_rate_hz: int, segment_s: int) -> None:
        """Open the encoder; `OutputError` where it cannot be at that rate, or bit rate."""
        self.variant = variant
        self.rate_hz = OPUS_RATE_HZ if variant.codec == "opus" else engine_rate_hz
        self._resampler = (
            soxr.ResampleStream(engine_rate_hz, self.rate_hz, 2, dtype="float32")
            if self.rate_hz != engine_rate_hz
            else None
        )
        encoder, self._format = _ENCODERS[variant.codec]
        try:
            self._context = cast(AudioCodecContext, av.CodecContext.create(encoder, "w"))
            self._context.sample_rate = self.rate_hz
            self._context.format = self._format
            self._context.layout = "stereo"
            if variant.codec == "opus":
                # Else a segment may take half as much again as what the playlist says of them.
                self._context.options = {"vbr": "constrained"}
            if variant.bitrate_kbps:
                self._context.bit_rate = 1000 * variant.bitrate_kbps
            self._context.open()
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(
                f"{variant.name} at {self.rate_hz} Hz cannot be encoded ({error}); "
                "choose another codec, rate or bit rate"
            ) from error
        extradata = bytes(self._context.extradata or b"")
        self.init = init_section(variant.codec, self.rate_hz, variant.bitrate_kbps, extradata)
        """What a player needs before the first segment."""
        self._cutter = Cutter(self._context.frame_size)
        self._segment_frames = segment_s * self.rate_hz
        self._given = 0
        self._packets: list[AudioPacket] = []
        self._number = 0
        # Of packets, in the encoder's frames: where the open segment begins, and where it ends so far.
        self._begin = self._end = 0

    @property
    def longest_s(self) -> float:
        """How long a segment can be."""
        return (self._segment_frames + self._context.frame_size) / self.rate_hz

    def encode(self, block: FloatArray) -> Sequence[Segment]:
        """Take `(frames, 2)` float32, any number of frames; return the segments that are whole now."""
        if self._resampler is not None:
            block = cast(FloatArray, self._resampler.resample_chunk(np.ascontiguousarray(block)))
        return list(self._cut(block))

    def flush(self) -> Sequence[Segment]:
        """End the run, and return what is left; nothing can be encoded afterwards."""
        ended: list[Segment] = []
        if self._resampler is not None:
            nothing = np.zeros((0, 2), dtype=np.float32)
            ended += self._cut(cast(FloatArray, self._resampler.resample_chunk(nothing, last=True)))
        if len(self._cutter.rest()):
            ended += self._take(self._context.encode(self._frame(self._cutter.rest())))
        ended += self._take(self._context.encode(None))
        if self._packets:
            ended.append(self._close())
        return ended

    def _cut(self, block: FloatArray) -> Iterator[Segment]:
        for part in self._cutter.push(tame(block)):
            yield from self._take(self._context.encode(self._frame(part)))

    def _take(self, packets: Sequence[Any]) -> Iterator[Segment]:
        for packet in packets:
            if not packet.size:
                # At its end FLAC's encoder tells what is known of the whole by then.
                continue
            # The last one of Opus is said to be shorter than what it holds.
            frames = packet.duration or self._context.frame_size
            self._packets.append(AudioPacket(data=bytes(packet), frames=frames))
            self._end += frames
            if self._end >= (self._number + 1) * self._segment_frames:
                yield self._close()

    def _close(self) -> Segment:
        segment = Segment(
            data=fragment(self._number + 1, self._begin, self._packets),
            begin_s=self._begin / self.rate_hz,
            length_s=(self._end - self._begin) / self.rate_hz,
        )
        self._packets, self._begin = [], self._end
        self._number += 1
        return segment

    def _frame(self, block: FloatArray) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(self._samples(block), format=self._format, layout="stereo")
        frame.sample_rate = self.rate_hz
        frame.time_base = Fraction(1, self.rate_hz)
        frame.pts = self._given
        self._given += len(block)
        return frame

    def _samples(self, block: FloatArray) -> NDArray[Any]:
        if self._format == "fltp":
            return np.ascontiguousarray(block.T)
        if self._format == "s16":
            return whole_samples(block, 16).astype(np.int16).reshape(1, -1)
        return np.ascontiguousarray(block).reshape(1, -1)
