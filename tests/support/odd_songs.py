"""This helper makes odd songs by a seed, such as noise, silence, a pad, an odd metre, and hours."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from model.base.arrays import DoubleArray, FloatArray

RATE_HZ = 44_100
ROOTS_HZ = (55.0, 41.2, 49.0, 36.7)
"""Bass notes of the bars, round and round: A, E, G, D."""


def band(beats_s: DoubleArray, beats_per_bar: int, *, seed: int = 0) -> FloatArray:
    """Drums, bass and chords over known beats, the last of which ends the song; `(frames, 2)`.

    A kick on every downbeat and in the middle of the bar, a snare on the other beats, hats between them; a
    new bass note and chord with every bar.
    """
    rng = np.random.default_rng(seed)
    frames = round(beats_s[-1] * RATE_HZ)
    audio = rng.normal(0.0, 0.001, (frames, 2))
    kick, snare, hat = _kick(), _snare(rng), _hat(rng)
    bounds = np.rint(beats_s * RATE_HZ).astype(np.int64)
    for number, (first, last) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        bar, beat = divmod(number, beats_per_bar)
        root_hz = ROOTS_HZ[bar % len(ROOTS_HZ)]
        _add(audio, first, kick if beat in (0, beats_per_bar // 2 + 1) else snare)
        _add(audio, (first + last) // 2, hat * rng.uniform(0.6, 1.0))
        _add(audio, first, _tone(last - first, (root_hz, 2 * root_hz), decay_s=0.3) * 0.15)
        if beat == 0:
            until = bounds[min(number + beats_per_bar, len(bounds) - 1)]
            _add(audio, first, _tone(int(until) - first, (4 * root_hz, 5 * root_hz, 6 * root_hz)) * 0.05)
    return (audio / max(1.0, 1.1 * float(np.abs(audio).max()))).astype(np.float32)


def beats(*stretches: tuple[float, float], beats_per_bar: int = 4) -> DoubleArray:
    """Return beats from 0 on: stretches of `(bpm, about so many seconds)`, each of whole bars."""
    times_s = [0.0]
    for bpm, seconds in stretches:
        count = beats_per_bar * round(seconds * bpm / 60 / beats_per_bar)
        times_s += (times_s[-1] + 60 / bpm * np.arange(1, count + 1)).tolist()
    return np.array(times_s)


def noise(seconds: float) -> FloatArray:
    """White noise."""
    return np.random.default_rng(1).normal(0.0, 0.1, (round(seconds * RATE_HZ), 2)).astype(np.float32)


def silence(seconds: float) -> FloatArray:
    """Digital silence."""
    return np.zeros((round(seconds * RATE_HZ), 2), dtype=np.float32)


def pad(seconds: float) -> FloatArray:
    """A chord that swells and fades over ten seconds and glides from one into the next: no onset anywhere."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sides = []
    for side in range(2):
        total = np.zeros(len(time_s))
        for number, tone_hz in enumerate((110.0, 164.8, 220.0, 277.2, 329.6)):
            swell = 0.55 + 0.45 * np.sin(2 * np.pi * (time_s / (9.0 + 1.7 * number) + 0.13 * number))
            total += swell * np.sin(2 * np.pi * tone_hz * (1 + 0.0007 * side) * time_s)
        sides.append(0.08 * total)
    return np.stack(sides, axis=1).astype(np.float32)


def write_long(path: Path, hours: float, *, bpm: float = 120.0) -> int:
    """Write a loop of a minute, again and again, with a little noise of its own each time; return the frames.

    The suffix says the format; nothing but the loop is held in memory.
    """
    loop = band(beats((bpm, 60.0)), 4)
    rng = np.random.default_rng(2)
    frames = round(hours * 3600 * RATE_HZ)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2) as file:
        for start in range(0, frames, len(loop)):
            part = loop[: frames - start]
            file.write(part * np.float32(rng.uniform(0.6, 0.9)))
    return frames


TEMPO_BEATS_S = beats((100.0, 30.0), (130.0, 30.0))
FIVE_BEATS_S = beats((126.0, 45.0), beats_per_bar=5)
ODD_SONGS: dict[str, Callable[[], FloatArray]] = {
    "noise": lambda: noise(25.0),
    "ten": lambda: band(beats((104.0, 12.0)), 4)[: 10 * RATE_HZ],
    "tempo": lambda: band(TEMPO_BEATS_S, 4),
    "five": lambda: band(FIVE_BEATS_S, 5),
    "pad": lambda: pad(35.0),
}
"""Songs that give chunks."""
ORDINARY_SONGS: dict[str, Callable[[], FloatArray]] = {
    "slow": lambda: band(beats((103.0, 40.0)), 4, seed=3),
    "fast": lambda: band(beats((127.0, 40.0)), 4, seed=4),
}


def _add(audio: DoubleArray, first: int, sound: DoubleArray) -> None:
    part = sound[: len(audio) - first]
    audio[first : first + len(part)] += part if part.ndim == 2 else part[:, np.newaxis]


def _kick() -> DoubleArray:
    time_s = np.arange(round(0.18 * RATE_HZ)) / RATE_HZ
    sweep = 45 * time_s + 4 * (1 - np.exp(-time_s / 0.02))
    return np.asarray(0.6 * np.exp(-time_s / 0.05) * np.sin(2 * np.pi * sweep))


def _snare(rng: np.random.Generator) -> DoubleArray:
    time_s = np.arange(round(0.15 * RATE_HZ)) / RATE_HZ
    body = np.sin(2 * np.pi * 190 * time_s) + rng.normal(0.0, 0.7, len(time_s))
    return np.asarray(0.25 * np.exp(-time_s / 0.03) * body)


def _hat(rng: np.random.Generator) -> DoubleArray:
    time_s = np.arange(round(0.05 * RATE_HZ)) / RATE_HZ
    return np.diff(0.12 * np.exp(-time_s / 0.012) * rng.normal(0.0, 1.0, len(time_s)), prepend=0.0)


def _tone(frames: int, tones_hz: Sequence[float], decay_s: float = 10.0) -> DoubleArray:
    time_s = np.arange(frames) / RATE_HZ
    fade = np.minimum(1.0, np.minimum(time_s / 0.004, (time_s[-1] - time_s) / 0.004)) * np.exp(
        -time_s / decay_s
    )
    return np.asarray(fade * sum(np.sin(2 * np.pi * tone_hz * time_s) for tone_hz in tones_hz))
