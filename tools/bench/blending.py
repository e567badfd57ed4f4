"""This measurement times what a blend of two songs costs, by the second of sound."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from model.base.arrays import FloatArray
from stream.joins.bands import BandedFade, HandOver
from stream.joins.sound import JoinSound, SongSound, Sound
from stream.joins.stretch import Stretcher
from tools.bench.figures import Figure
from tools.bench.settings import BenchSettings

_QUESTION = "blend"
_RATE_HZ = 44_100
_BLOCK_FRAMES = 4_096
_FACTOR = 1.03
_SECONDS = 16
_BANDS = ((0.62, 0.65), (0.25, 0.9), (0.0, 0.5))


def measure_blending(settings: BenchSettings) -> list[Figure]:
    """Stretch a song by 3 %, and blend two songs band by band, one of them stretched."""
    settings.notice("blend")
    repeats, budgets = settings.repeats(7, 2), settings.budgets
    return [
        _figure("stretch by 3 %, ms by the second", _stretched, repeats, budgets.stretch_ms),
        _figure("tempo blend, ms by the second", _blended, repeats, budgets.blend_ms),
    ]


def _figure(name: str, sound: Callable[[], Sound], repeats: int, at_most: float) -> Figure:
    # The first one compiles.
    times_ms = [_ms_a_second(sound()) for _ in range(repeats + 1)][1:]
    return Figure(
        question=_QUESTION,
        name=name,
        unit="ms",
        value=median(times_ms),
        at_most=at_most,
        note=f"processor time, median of {repeats}, blocks of {_BLOCK_FRAMES} frames",
    )


def _ms_a_second(sound: Sound) -> float:
    began_s = time.process_time()
    for _ in range(_SECONDS * _RATE_HZ // _BLOCK_FRAMES):
        sound.pull(_BLOCK_FRAMES)
    return 1e3 * (time.process_time() - began_s) / _SECONDS


def _song(seed: int) -> SongSound:
    """Return beats over a chord, again and again."""
    time_s = np.arange(_RATE_HZ // 2) / _RATE_HZ
    rng = np.random.default_rng(seed)
    beat = rng.normal(0.0, 0.2, len(time_s)) * np.exp(-time_s / 0.03)
    beat += sum(0.05 * np.sin(2 * np.pi * hz * time_s) for hz in (110.0, 220.0, 278.0, 330.0))
    song: FloatArray = np.repeat(np.tile(beat, 60)[:, None], 2, axis=1).astype(np.float32)
    return SongSound(lambda start, stop: song[start:stop], 0)


def _stretched() -> Sound:
    frames = 2 * _SECONDS * _RATE_HZ
    return Stretcher(_song(0), np.array([0, frames]), np.array([0, round(_FACTOR * frames)]), _RATE_HZ)


def _blended() -> Sound:
    frames, incoming = _SECONDS * _RATE_HZ, _song(1)
    bands = [HandOver.at_once(round(first * frames), round(last * frames)) for first, last in _BANDS]
    fade = BandedFade(_stretched(), incoming, frames=frames, enters_frame=0, bands=bands, rate_hz=_RATE_HZ)
    return JoinSound(fade.make, frames, incoming)
