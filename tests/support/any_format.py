"""This module writes audio in any format through FFmpeg, and says what is heard in it again."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from model.base.arrays import FloatArray

TONES_HZ = (440.0, 1_250.0)
LEVELS = (0.5, 0.25)


def tones(rate_hz: int, seconds: float) -> FloatArray:
    """A tone per side, each at its own level."""
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    sides = [level * np.sin(2 * np.pi * hz * t) for hz, level in zip(TONES_HZ, LEVELS, strict=True)]
    return np.stack(sides, axis=1).astype(np.float32)


def level_at(signal: FloatArray, hz: float, rate_hz: int) -> float:
    """Amplitude of one frequency, away from the ends."""
    middle = signal[len(signal) // 4 : 3 * len(signal) // 4].astype(np.float64)
    window = np.hanning(len(middle))
    phase = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / rate_hz)
    return float(2 * abs((middle * window * phase).sum()) / window.sum())


def busy(rate_hz: int, seconds: float, channels: int = 2, seed: int = 0) -> FloatArray:
    """Beats of noise over tones with quiet between, so that a variable bit rate varies."""
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    noise = np.random.default_rng(seed).standard_normal((len(t), channels))
    beats = (t % 1.0 < 0.2)[:, None] * noise * 0.2
    hum = 0.2 * np.sin(2 * np.pi * 220 * t) * (t % 2.0 < 1.3)
    return (beats + hum[:, None]).astype(np.float32)


def encode(
    path: Path, codec: str, audio: FloatArray, rate_hz: int, *, layout: str = "stereo", **options: str
) -> None:
    """Write `audio` with FFmpeg; `options` are those of codec and container."""
    kinds = {"fltp": np.float32, "flt": np.float32, "s16p": np.int16, "s16": np.int16, "s32p": np.int32}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        if codec == "wmav2":
            stream.bit_rate = 160_000
        offered = [kind.name for kind in stream.codec_context.codec.audio_formats or []]
        kind = next(kind for kind in kinds if kind in offered)
        stream.codec_context.format = av.AudioFormat(kind)
        dtype = kinds[kind]
        scaled = audio if dtype == np.float32 else np.round(audio * np.iinfo(dtype).max).astype(dtype)
        step = 1_024
        for start in range(0, len(audio), step):
            part = np.ascontiguousarray(scaled[start : start + step])
            data = part.T if kind.endswith("p") else part.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format=kind, layout=layout)
            frame.sample_rate = rate_hz
            frame.pts = start
            frame.time_base = Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
