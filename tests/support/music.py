"""This helper writes small songs to disk, for tests that build pools."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from model.base.arrays import FloatArray
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings

RATE_HZ = 22_050


def quick_settings(**changes: object) -> BuildSettings:
    """Settings under which a build of a few small songs takes a moment."""
    settings = {"cut": CutSettings(cut="equal", chunk_s=2.0), "edge_s": 0.5, "jobs": 1, **changes}
    return BuildSettings(**settings)  # type: ignore[arg-type]


def tune(seconds: float, seed: int, rate_hz: int = RATE_HZ) -> FloatArray:
    """Two channels of a decaying tone twice a second over a little noise, `(frames, 2)`."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    envelope = np.exp(-4 * (times_s % 0.5))
    tones = [np.sin(2 * np.pi * frequency * times_s) for frequency in rng.uniform(100, 900, 2)]
    audio = 0.4 * envelope[:, None] * np.stack(tones, axis=1) + rng.normal(0, 0.01, (len(times_s), 2))
    return np.clip(audio, -1, 1).astype(np.float32)


def write_music(
    folder: Path, names: Sequence[str], *, seconds: float = 6.0, rate_hz: int = RATE_HZ
) -> list[Path]:
    """Write one song for each name, each different by its name; the suffix says the format."""
    paths = [folder / name for name in names]
    for name, path in zip(names, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tune(seconds, zlib.crc32(name.encode()), rate_hz), rate_hz)
    return paths
