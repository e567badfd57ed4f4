"""An announcement is a short recording, decoded and brought to the loudness of the stream."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.audio.reading import reading
from stream.audio.sections import FileSection
from stream.service.announcing.limits import (
    LEAST_ANNOUNCEMENT_S,
    MOST_ANNOUNCEMENT_BYTES,
    MOST_ANNOUNCEMENT_S,
)
from stream.service.announcing.weighting import spoken_lufs

_HIGHEST = 10 ** (-1 / 20)
"""Its samples reach -1 dBFS at most."""
_EDGE_S = 0.01
"""So long does it fade in and out, against clicks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Announcement:
    """A recording as it will be heard."""

    name: str
    """Of its file."""
    audio: FloatArray
    """`(frames, 2)` at the engine's rate."""


def read_announcement(
    path: Path, engine_rate_hz: int, target_lufs: float | None, *, name: str | None = None
) -> Announcement:
    """Decode a file of any format; target_lufs: the stream's loudness, None leaves it as loud as it is.

    name: what it is called; None: as its file.
    Raises `EndlosError` (of a damaged file `DecodeError`) where it cannot be read, is too large,
    too long, too short or silent.
    """
    from stream.audio.decode_pyav import LeftOut, libav_blocks  # with FFmpeg: 10 MB, where nothing is said

    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise EndlosError(f"{path} cannot be read: {error.strerror}; name a recording") from error
    if size_bytes > MOST_ANNOUNCEMENT_BYTES:
        raise EndlosError(
            f"{path} has {size_bytes / 1e6:.0f} MB, expected {MOST_ANNOUNCEMENT_BYTES / 1e6:.0f} at most; "
            "shorten it"
        )
    parts: list[FloatArray] = []
    rate_hz, frames = 0, 0
    with reading(path):
        for block in libav_blocks(FileSection(path=path, start=0, stop=0, whole=True), LeftOut()):
            rate_hz = rate_hz or block.sample_rate_hz
            part = block.samples
            if block.sample_rate_hz != rate_hz:
                part = soxr.resample(part, block.sample_rate_hz, rate_hz)
            parts.append(part)
            frames += len(part)
            if frames > MOST_ANNOUNCEMENT_S * rate_hz:
                break
    if frames > MOST_ANNOUNCEMENT_S * rate_hz:
        raise EndlosError(f"{path} is longer than {MOST_ANNOUNCEMENT_S / 60:g} minutes; shorten it")
    if not parts or frames < LEAST_ANNOUNCEMENT_S * rate_hz:
        raise EndlosError(
            f"{path} is shorter than {LEAST_ANNOUNCEMENT_S:g} s; name a recording with words in it"
        )
    audio = np.concatenate(parts)
    if rate_hz != engine_rate_hz:
        audio = soxr.resample(audio, rate_hz, engine_rate_hz)
    peak = float(np.abs(audio).max(initial=0.0))
    if peak == 0.0:
        raise EndlosError(f"{path} is silent; name a recording with something to hear")
    gain = 1.0 if target_lufs is None else 10 ** ((target_lufs - spoken_lufs(audio, engine_rate_hz)) / 20)
    audio = np.float32(min(gain, _HIGHEST / peak)) * audio
    edge = min(round(_EDGE_S * engine_rate_hz), len(audio) // 2)
    ramp = np.linspace(0.0, 1.0, edge, endpoint=False, dtype=np.float32)[:, None]
    audio[:edge] *= ramp
    audio[len(audio) - edge :] *= ramp[::-1]
    return Announcement(name=name or path.name, audio=audio.astype(np.float32))
