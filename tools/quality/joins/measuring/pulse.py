"""The pulse is the period and phase of the beat on one side of a join, from its onsets."""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from model.base.arrays import DoubleArray, FloatArray
from tools.quality.joins.spectra import boundary_mel_powers

STEP_FRAMES = 256
_FFT_FRAMES = 1024
SLOWEST_S = 60 / 70
FASTEST_S = 60 / 180
PERIODS = 120
FINE_SHARE = 0.006
FINE_PERIODS = 25
PRIOR_S = 60 / 115
_PRIOR_OCTAVES = 0.7
LEAST_CONTRAST = 1.6
"""Onsets on the beat over those anywhere: below it no beat is heard."""
LEAST_OVER_OFFBEAT = 1.4
"""Onsets on the beat over those half a beat away: below it nobody can say where the beat is."""
LEAST_OVER_OFFBEAT_HALF = 1.2
"""The same in either half of what is looked at, of which each has to find the beat of the whole again."""
HALVES_AGREE_S = 0.03
"""So near to the beats of the whole are those of each half: else one half does not foretell the other."""
SMOOTHED_S = 0.012


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """A beat: one every `period_s`, one of them `phase_s` after the start of what was looked at."""

    period_s: float
    phase_s: float
    contrast: float


def onset_strength(mono: FloatArray, rate_hz: int) -> tuple[DoubleArray, float]:
    """Return how strongly sounds begin, one value each `step_s`, and `step_s`; value i is at `i * step_s`."""
    mel = 10.0 * np.log10(boundary_mel_powers(mono, rate_hz, _FFT_FRAMES, STEP_FRAMES) + 1e-4)
    lag = 2
    rise = np.maximum(mel[lag:] - mel[:-lag], 0.0).mean(axis=1).astype(np.float64)
    flux = np.concatenate([np.zeros(lag), rise])
    # The rise is over by the time that it is seen whole.
    return np.roll(flux, -(lag // 2)), STEP_FRAMES / rate_hz


def pulse(strength: DoubleArray, step_s: float) -> Pulse | None:
    """Return the beat in `(n,)` onset strengths, or None where none is heard, or its place is not clear.

    Every period between 70 and 180 beats a minute, and every phase, is laid over the onsets; the one whose
    beats are strongest, with a preference for about 115, is the beat. Where it is in one half of the onsets
    has to be where it is in the other: a beat that does not hold so long says nothing of what comes after.
    """
    smooth = scipy.ndimage.gaussian_filter1d(strength, SMOOTHED_S / step_s)
    mean = float(smooth.mean())
    if mean <= 1e-6 or len(smooth) * step_s < 2.5 * SLOWEST_S:
        return None
    coarse = np.geomspace(FASTEST_S, SLOWEST_S, PERIODS)
    prior = np.exp(-0.5 * (np.log2(coarse / PRIOR_S) / _PRIOR_OCTAVES) ** 2)
    heights = np.array([_best_phase(smooth, period_s / step_s)[1] for period_s in coarse])
    around_s = float(coarse[(heights * prior).argmax()])
    found = _around(smooth, step_s, around_s)
    if found.contrast < LEAST_CONTRAST or found.over_offbeat < LEAST_OVER_OFFBEAT:
        return None
    half = len(smooth) // 2
    for first in (0, len(smooth) - half):
        part = _around(smooth[first : first + half], step_s, found.period_s)
        beats = (first * step_s + part.phase_s - found.phase_s) / found.period_s
        off_s = abs(beats - round(beats)) * found.period_s
        if off_s > HALVES_AGREE_S or part.over_offbeat < LEAST_OVER_OFFBEAT_HALF:
            return None
    return Pulse(period_s=found.period_s, phase_s=found.phase_s, contrast=found.contrast)


@dataclass(frozen=True, kw_only=True)
class _Comb:
    """The strongest beats of about one period."""

    period_s: float
    phase_s: float
    contrast: float
    """How strong onsets are on them, over those anywhere, ..."""
    over_offbeat: float
    """... and over those half a beat away."""


def _around(smooth: DoubleArray, step_s: float, around_s: float) -> _Comb:
    """Return the strongest beats of about this period; one that is off by little is far off at a join."""
    fine = around_s * np.linspace(1 - FINE_SHARE, 1 + FINE_SHARE, FINE_PERIODS)
    found = [_best_phase(smooth, period_s / step_s) for period_s in fine]
    best = int(np.argmax([height for _, height in found]))
    phase, height = found[best]
    period = float(fine[best]) / step_s
    offbeat = _height(smooth, phase + 0.5 * period, period)
    return _Comb(
        period_s=float(fine[best]),
        phase_s=phase * step_s,
        contrast=height / max(float(smooth.mean()), 1e-9),
        over_offbeat=height / max(offbeat, 1e-9),
    )


def _best_phase(smooth: DoubleArray, period: float) -> tuple[float, float]:
    """Return the phase whose beats are strongest, in steps, and how strong they are on average."""
    beats = int((len(smooth) - 1) // period)
    phases = np.arange(0.0, period, 0.5)
    places = phases[:, None] + period * np.arange(beats)[None, :]
    below = places.astype(np.int64)
    share = places - below
    heights = (smooth[below] * (1 - share) + smooth[np.minimum(below + 1, len(smooth) - 1)] * share).mean(
        axis=1
    )
    best = int(heights.argmax())
    return float(phases[best]), float(heights[best])


def _height(smooth: DoubleArray, phase: float, period: float) -> float:
    """Return how strong onsets are on average at every `period` from `phase` on, in steps."""
    places = np.arange(phase % period, len(smooth) - 1, period)
    return float(np.interp(places, np.arange(len(smooth)), smooth).mean())


def beat_error_s(before: Pulse, after: Pulse, split_s: float) -> float:
    """Return how far the first beat after a join is off the grid that went before, at most half a period.

    split_s: where `after` begins in the time of `before`. The error is without sign. Where one beats twice as
    fast, its beats are the grid: those of the other fall on every second one, whichever that is.
    """
    times = max(1, round(before.period_s / after.period_s))
    period_s = before.period_s / times
    off_s = split_s + after.phase_s - before.phase_s
    return abs(off_s - period_s * round(off_s / period_s))
