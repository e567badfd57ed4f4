"""Songs on disk in formats that only FFmpeg writes."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from model.base.arrays import FloatArray

RATE_HZ = 48_000
"""Every codec takes it."""


def encode(path: Path, codec: str, audio: FloatArray, *, bit_rate: int = 128_000) -> Path:
    """Write `(frames, 2)` at `RATE_HZ`; the suffix says the container."""
    if path.suffix == ".ogg":  # FFmpeg as PyAV brings it has no encoder for Vorbis
        soundfile.write(path, audio, RATE_HZ)
        return path
    samples = (np.clip(audio, -1, 1) * 32_767).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE_HZ)
        stream.layout, stream.bit_rate = "stereo", bit_rate
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(stream.format.name, "stereo", RATE_HZ, stream.frame_size or 4_800)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path
