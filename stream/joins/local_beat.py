"""A local beat is what the attacks of some seconds of a song come back to, whatever a pool knows of it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, FloatArray
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES

_FASTEST_BPM, _SLOWEST_BPM, _PERIODS = 180.0, 70.0, 300
_USUAL_BPM, _USUAL_OCTAVES = 115.0, 0.7
"""Of periods whose beats are as strong the one near this, within so many octaves."""
_FINE_SHARE, _FINE_PERIODS = 0.006, 25
_HIGHEST_HZ, _PHASES = 24.0, 128
"""A beat's course is made of its harmonics up to this, and looked at in so many places."""
_SPECTRUM_VALUES = 1 << 15
"""Spectra are padded to this: a period in it is known far better than by what is between two values."""
_POOLED_HOPS = 2
_SMOOTHED_S = 0.012
_USUAL_S, _USUAL_SHARE = 1.0, 0.8
"""Attacks are what rises beyond this share of what is usual in so many seconds."""
LEAST_HEARD_S = 5.0
"""Less says nothing of a beat."""
_LEAST_OVER_PERIODS = 3.3
"""Beats of the best period over those of any: of attacks that are drawn at random a hundredth reaches 3.2."""
_LEAST_CONTRAST = 1.5
"""Attacks on the beat over those anywhere: below it no beat is heard."""
_LEAST_OVER_OFFBEAT, _LEAST_OVER_OFFBEAT_HALF = 1.25, 1.1
"""Attacks on the beat over those half a beat away, in all and in either half: else its place is not clear."""
_HALVES_AGREE_S = 0.03
"""So near to the beats of the whole are those of each half: else it does not go on as it was."""


@dataclass(frozen=True, kw_only=True)
class LocalBeat:
    """A beat every `period_s`, one of them `beat_s` after the beginning of what was listened to."""

    period_s: float
    beat_s: float


def find_local_beat(strengths: FloatArray, rate_hz: int) -> LocalBeat | None:
    """Return the beat of `(hops,)` attack strengths (`attack_strengths`); None where none is clear.

    Attacks are folded at every period, by their Fourier transform at it and at its harmonics; the one whose
    beats are strongest is the beat. Each half has to have it where the whole has it.
    """
    hop_s = _POOLED_HOPS * SURROUNDINGS_HOP_FRAMES / rate_hz
    attacks = _attacks(strengths, hop_s)
    if len(attacks) * hop_s < LEAST_HEARD_S:
        return None
    whole = _Folded.of(attacks, hop_s)
    if whole.mean <= 0.0:
        return None
    heights = whole.courses(_periods_s()).max(axis=1)
    around_s = float(_periods_s()[int(((whole.mean + heights) * _usual()).argmax())])
    fine_s = around_s * np.linspace(1.0 - _FINE_SHARE, 1.0 + _FINE_SHARE, _FINE_PERIODS)
    fine = whole.courses(fine_s).max(axis=1)
    if fine.max() < _LEAST_OVER_PERIODS * np.median(heights):
        return None
    period_s = float(fine_s[int(fine.argmax())])
    found = whole.comb(period_s)
    if found.contrast < _LEAST_CONTRAST or found.over_offbeat < _LEAST_OVER_OFFBEAT:
        return None
    half = len(attacks) // 2
    for first in (0, len(attacks) - half):
        part = _Folded.of(attacks[first : first + half], hop_s).comb(period_s)
        beats = (first * hop_s + part.beat_s - found.beat_s) / period_s
        if abs(beats - round(beats)) * period_s > _HALVES_AGREE_S:
            return None
        if part.over_offbeat < _LEAST_OVER_OFFBEAT_HALF:
            return None
    return LocalBeat(period_s=period_s, beat_s=found.beat_s)


@dataclass(frozen=True, kw_only=True)
class _Comb:
    """The strongest beats of one period."""

    beat_s: float
    """One of them, from the beginning."""
    contrast: float
    """How strong attacks are on them, over those anywhere, ..."""
    over_offbeat: float
    """... and over those half a beat away."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Folded:
    """Attacks of some seconds, ready to be folded at any period."""

    spectrum: npt.NDArray[np.complex128]
    """Of all beyond the mean, smoothed; time counts from the middle."""
    mean: float
    hop_s: float
    middle: int

    @classmethod
    def of(cls, attacks: DoubleArray, hop_s: float) -> "_Folded":
        middle, mean = len(attacks) // 2, float(attacks.mean())
        turned = np.zeros(_SPECTRUM_VALUES)
        turned[: len(attacks) - middle] = attacks[middle:] - mean
        turned[_SPECTRUM_VALUES - middle :] = attacks[:middle] - mean
        found = np.fft.rfft(turned) * (_smoothing(hop_s) / len(attacks))
        return cls(spectrum=found, mean=mean, hop_s=hop_s, middle=middle)

    def courses(self, periods_s: DoubleArray) -> DoubleArray:
        """Return how strong attacks are through a beat, over the mean, `(periods, _PHASES)`."""
        harmonics = np.arange(1, int(_HIGHEST_HZ * periods_s.max()) + 1)
        hz = harmonics / periods_s[:, None]
        places = hz * (_SPECTRUM_VALUES * self.hop_s)
        below = places.astype(np.int64)
        share = places - below
        found = self.spectrum[below] * (1.0 - share) + self.spectrum[below + 1] * share
        folded = np.zeros((len(periods_s), _PHASES // 2 + 1), dtype=np.complex128)
        # As sharp for a slow beat as for a fast one: else that would seem the stronger.
        folded[:, harmonics] = np.where(hz <= _HIGHEST_HZ, found, 0.0)
        return np.fft.irfft(folded, _PHASES, axis=1) * _PHASES

    def comb(self, period_s: float) -> _Comb:
        """Return the strongest beats of a period."""
        course = self.mean + self.courses(np.array([period_s]))[0]
        best = int(course.argmax())
        left, top, right = course[best - 1], course[best], course[(best + 1) % _PHASES]
        bend = left - 2.0 * top + right
        vertex = 0.5 * float((left - right) / bend) if bend < 0.0 else 0.0
        offbeat = float(course[(best + _PHASES // 2) % _PHASES])
        return _Comb(
            beat_s=self.middle * self.hop_s + (best + vertex) / _PHASES * period_s,
            contrast=float(top) / max(self.mean, 1e-9),
            over_offbeat=float(top) / max(offbeat, 1e-9),
        )


def _attacks(strengths: FloatArray, hop_s: float) -> DoubleArray:
    """Return what rises beyond the usual, a value for each `hop_s`."""
    hops = len(strengths) // _POOLED_HOPS
    pooled = strengths[: hops * _POOLED_HOPS].reshape(hops, _POOLED_HOPS).mean(axis=1, dtype=np.float64)
    reach = round(0.5 * _USUAL_S / hop_s)
    sums = np.concatenate([[0.0], np.cumsum(pooled)])
    first, stop = np.arange(hops) - reach, np.arange(hops) + reach + 1
    first, stop = np.maximum(first, 0), np.minimum(stop, hops)
    usual = (sums[stop] - sums[first]) / (stop - first)
    attacks: DoubleArray = np.maximum(0.0, pooled - _USUAL_SHARE * usual)
    return attacks


@cache
def _periods_s() -> DoubleArray:
    return np.geomspace(60.0 / _FASTEST_BPM, 60.0 / _SLOWEST_BPM, _PERIODS)


@cache
def _usual() -> DoubleArray:
    """Return how usual each of the periods is."""
    octaves = np.log2(_periods_s() * _USUAL_BPM / 60.0)
    usual: DoubleArray = np.exp(-0.5 * np.square(octaves / _USUAL_OCTAVES))
    return usual


@cache
def _smoothing(hop_s: float) -> DoubleArray:
    """Return the response of a Gaussian of `_SMOOTHED_S`."""
    smoothed: DoubleArray = np.exp(
        -2.0 * np.square(np.pi * _SMOOTHED_S * np.fft.rfftfreq(_SPECTRUM_VALUES, hop_s))
    )
    return smoothed
