"""The renderings are short pieces of drums and chords in every metre, whose beats are known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from tools.demo import drums
from tools.demo.effects import DEMO_RATE_HZ
from tools.quality.beats.truth import BeatTruth

RENDERED_S = 30.0
FIRST_BEAT_S = 0.35
TEMPI_BPM = (*range(60, 201, 10), 164, 166, 168, 171)
FEWER_TEMPI_BPM = (63, 84, 104, 126, 147, 169, 188)
CHORD_SEMITONES = (0, 5, 7, 3, 8, 10)
_BASS_HZ, _CHORD_HZ = 55.0, 220.0
_LEVELS = {"kick": 0.9, "snare": 0.6, "hat": 0.35, "rim": 0.5}


@dataclass(frozen=True, kw_only=True)
class Metre:
    """A bar of drums; hits are places in beats."""

    name: str
    bar_beats: int
    kick: tuple[float, ...]
    snare: tuple[float, ...]
    thirds: bool = False
    """Whether beats fall into three."""


RENDERED_METRES = (
    Metre(name="2/4", bar_beats=2, kick=(0,), snare=(1,)),
    Metre(name="3/4", bar_beats=3, kick=(0,), snare=(1, 2)),
    Metre(name="4/4", bar_beats=4, kick=(0, 2), snare=(1, 3)),
    Metre(name="5/4", bar_beats=5, kick=(0, 3), snare=(1, 2, 4)),
    Metre(name="6/8", bar_beats=2, kick=(0,), snare=(1,), thirds=True),
    Metre(name="7/4", bar_beats=7, kick=(0, 2, 4), snare=(1, 3, 5, 6)),
)
FLOOR = Metre(name="4/4", bar_beats=4, kick=(0, 1, 2, 3), snare=(1, 3))
SYNCOPATED = Metre(name="4/4", bar_beats=4, kick=(0, 0.75, 2.5), snare=(1, 3))
LIGHT_WALTZ = Metre(name="3/4", bar_beats=3, kick=(0,), snare=(2,))
ODD_SEVEN = Metre(name="7/4", bar_beats=7, kick=(0, 4), snare=(2, 6))


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """One piece: how it is played, in which metre, how fast; made anew each time it is asked for."""

    kind: str
    metre: Metre
    bpm: float
    seed: int

    @property
    def name(self) -> str:
        """Return what tells it from the others."""
        return f"{self.kind} {self.metre.name} {self.bpm:g}"

    def truth(self) -> BeatTruth:
        """Return its beats."""
        times_s = _beats_s(self)
        return BeatTruth(
            times_s=times_s,
            positions=np.arange(len(times_s)) % self.metre.bar_beats,
            stretches_s=((0.0, RENDERED_S),),
            thirds=self.metre.thirds,
            bar_beats=self.metre.bar_beats,
        )

    def audio(self) -> FloatArray:
        """Return it, `(frames, 2)` float32 at `DEMO_RATE_HZ`."""
        beats_s = _beats_s(self)
        rng = np.random.default_rng([self.seed, 1])
        mix = rng.normal(0.0, 0.001, round(RENDERED_S * DEMO_RATE_HZ))
        _add_chords(mix, beats_s, self.metre.bar_beats, soft=self.kind == "rubato")
        style = _STYLES[self.kind]
        for bar in range(0, len(beats_s), self.metre.bar_beats):
            for sound, places in style(self.metre).items():
                for place in places:
                    late_s = float(rng.normal(0.0, 0.008)) if self.kind == "live" else 0.0
                    at_s = _time_s(beats_s, bar + place)
                    level = _LEVELS[sound] * float(rng.uniform(0.85, 1.0))
                    _put(mix, at_s + late_s, level, _sound(sound))
        mix *= 0.5 / np.abs(mix).max()
        return np.repeat(mix[:, None], 2, axis=1).astype(np.float32)


def renderings() -> Iterator[Rendering]:
    """Yield every piece that beats are judged on."""
    seed = 0
    for metre in RENDERED_METRES:
        for bpm in TEMPI_BPM:
            yield Rendering(kind="straight", metre=metre, bpm=float(bpm), seed=seed)
    for kind, metres in _MORE_KINDS.items():
        for metre in metres:
            for bpm in FEWER_TEMPI_BPM:
                yield Rendering(kind=kind, metre=metre, bpm=float(bpm), seed=seed)


def _straight(metre: Metre) -> dict[str, list[float]]:
    parts = 3 if metre.thirds else 2
    hats = [beat / parts for beat in range(metre.bar_beats * parts)]
    return {"kick": list(metre.kick), "snare": list(metre.snare), "hat": hats}


def _swing(metre: Metre) -> dict[str, list[float]]:
    hats = [beat + part for beat in range(metre.bar_beats) for part in (0.0, 2 / 3)]
    return {"kick": list(metre.kick), "snare": list(metre.snare), "hat": hats}


def _sixteenths(metre: Metre) -> dict[str, list[float]]:
    hats = [beat / 4 for beat in range(metre.bar_beats * 4)]
    return {"kick": list(metre.kick), "snare": list(metre.snare), "hat": hats}


def _click(metre: Metre) -> dict[str, list[float]]:
    return {"rim": [float(beat) for beat in range(metre.bar_beats)]}


def _undrummed(metre: Metre) -> dict[str, list[float]]:
    return {}


_STYLES: dict[str, Callable[[Metre], dict[str, list[float]]]] = {
    "straight": _straight,
    "sixteenths": _sixteenths,
    "swing": _swing,
    "click": _click,
    "drift": _straight,
    "live": _straight,
    "rubato": _undrummed,
}
_MORE_KINDS = {
    "straight": (FLOOR, SYNCOPATED, LIGHT_WALTZ, ODD_SEVEN),
    "sixteenths": (RENDERED_METRES[2], SYNCOPATED),
    "swing": (RENDERED_METRES[1], RENDERED_METRES[2], RENDERED_METRES[3]),
    "click": RENDERED_METRES,
    "drift": RENDERED_METRES,
    "live": RENDERED_METRES,
    "rubato": (RENDERED_METRES[1], RENDERED_METRES[2]),
}


def _beats_s(piece: Rendering) -> DoubleArray:
    """Return when the beats are: tempo drifts by 6 % up and down, wanders, or follows the phrase."""
    rng = np.random.default_rng([piece.seed, round(10 * piece.bpm), 2])
    beat_s = 60.0 / piece.bpm
    times_s = [FIRST_BEAT_S]
    wander = 0.0
    while times_s[-1] < RENDERED_S:
        here_s = beat_s
        wander = 0.9 * wander + float(rng.normal(0.0, 1.0))
        if piece.kind == "drift":
            here_s *= 1.0 + 0.06 * np.sin(2 * np.pi * times_s[-1] / 20.0)
        elif piece.kind == "live":
            here_s *= 1.0 + 0.008 * wander
        elif piece.kind == "rubato":
            phrase = (len(times_s) - 1) / (4 * piece.metre.bar_beats) % 1.0
            here_s *= 1.0 + 0.05 * wander + 0.5 * max(0.0, phrase - 0.7)
        times_s.append(times_s[-1] + here_s)
    return np.array([time_s for time_s in times_s if time_s < RENDERED_S - 0.1])


def _time_s(beats_s: DoubleArray, place: float) -> float:
    return float(np.interp(place, np.arange(len(beats_s)), beats_s, right=RENDERED_S))


def _add_chords(mix: DoubleArray, beats_s: DoubleArray, bar_beats: int, *, soft: bool) -> None:
    """Add a bass note and a chord to every bar; soft ones come alone, and a note with every beat."""
    for bar, first in enumerate(range(0, len(beats_s), bar_beats)):
        root = 2.0 ** (CHORD_SEMITONES[bar % len(CHORD_SEMITONES)] / 12)
        start_s, stop_s = beats_s[first], _time_s(beats_s, first + bar_beats)
        _put(mix, start_s, 0.25, _tone(_BASS_HZ * root, stop_s - start_s, 0.004))
        for third in (1.0, 1.26, 1.5):
            _put(mix, start_s, 0.08, _tone(_CHORD_HZ * root * third, stop_s - start_s, 0.02))
        for beat in range(first, min(first + bar_beats, len(beats_s)) if soft else first):
            _put(mix, beats_s[beat], 0.15, _tone(4 * _CHORD_HZ * root, 0.5, 0.005))


def _tone(hz: float, seconds: float, attack_s: float) -> DoubleArray:
    times_s = np.arange(max(1, round(seconds * DEMO_RATE_HZ))) / DEMO_RATE_HZ
    shape = np.minimum(1.0, times_s / attack_s) * np.exp(-times_s / (0.6 * seconds))
    shape *= np.minimum(1.0, (times_s[-1] - times_s) / 0.02)
    tone: DoubleArray = shape * sum(np.sin(2 * np.pi * hz * part * times_s) / part for part in (1, 2, 3))
    return tone


def _put(mix: DoubleArray, at_s: float, level: float, sound: FloatArray | DoubleArray) -> None:
    first = max(0, round(at_s * DEMO_RATE_HZ))
    part = sound[: max(0, len(mix) - first)]
    mix[first : first + len(part)] += level * part


@cache
def _sound(name: str) -> FloatArray:
    rng = np.random.default_rng(7)
    sounds = {"kick": drums.kick, "snare": drums.snare, "rim": drums.rim}
    sound = sounds[name](rng) if name in sounds else drums.hat(rng, 0.03)
    mono: FloatArray = sound if sound.ndim == 1 else sound.mean(axis=0)
    return mono
