"""The fidelity of a file says how much of the sound its coding keeps, whatever tags and covers it has."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

from model.base.quiet import quiet_c_stderr

_WHOLE_BITS, _WHOLE_RATE_HZ = 16, 32_000
"""Lossless coding of less than that keeps less than a good lossy one, ..."""
_NARROW = 8
"""... as a lossy one does of so many times fewer bits."""
_LOSSLESS_IN_THE_MAIN = ("wavpack",)
"""What can be either, and nearly always is lossless."""


@dataclass(frozen=True, kw_only=True, order=True)
class Fidelity:
    """How much of the sound is kept; the greater of two is to be preferred."""

    whole: bool = False
    """Whether nothing of it is lost, at a width and a rate that hold all that is heard."""
    bits_per_s: float = 0.0
    """Of the coded audio; where it is lossless of its samples, so that no better packing counts less."""


def fidelity_of(path: Path) -> Fidelity:
    """Return the fidelity of the first audio stream of a file; the least there is where it cannot be read."""
    with (
        suppress(av.FFmpegError, OSError, ValueError),
        quiet_c_stderr(),
        # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
        av.open(
            str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file"}
        ) as container,
    ):
        if container.streams.audio:
            stream = container.streams.audio[0]
            context = stream.codec_context
            codec = context.codec
            lossless = codec.lossless and (not codec.lossy or codec.name in _LOSSLESS_IN_THE_MAIN)
            if lossless and context.format is not None:
                bits, rate_hz = 8 * context.format.bytes, context.sample_rate
                whole, bits_per_s = bits >= _WHOLE_BITS and rate_hz >= _WHOLE_RATE_HZ, bits * rate_hz
                bits_per_s *= context.channels
                return Fidelity(whole=whole, bits_per_s=bits_per_s if whole else bits_per_s / _NARROW)
            coded_bytes, duration = 0, 0
            for packet in container.demux(stream):
                coded_bytes += packet.size
                duration += packet.duration or 0
            if duration and stream.time_base:
                return Fidelity(bits_per_s=8 * coded_bytes / float(duration * stream.time_base))
    return Fidelity()
