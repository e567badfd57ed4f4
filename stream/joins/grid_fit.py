"""A grid fit finds by the attacks of two songs how far the beats of one lie beside those of the other."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, attack_strengths

FIT_RANGE_S = 0.045
"""About how far beats are off that were found in a song."""
_NEIGHBOURS = (1.0, 0.6, 0.25)
"""A bar is judged with those around it, which weigh as much."""
_LEAST_CORRELATION = 0.2
_AWAY_WEIGHT = 0.2
_NEAR_BEAT_S = 0.03
"""An attack that is so near belongs to a beat, or to the middle between two."""
MOST_BETWEEN = 1.2
"""A song whose attacks are so many times as strong between its beats has them half a beat off."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GridFit:
    """How well the attacks of A fall on those of B, bar by bar."""

    offsets: DoubleArray
    """`(bars,)` frames of A by which what falls on B's attacks is later than its beats say."""
    correlations: DoubleArray
    """`(bars,)` of both songs' attacks, there."""
    error_frames: float
    """What bars ask for by themselves, beside what they were given: the median."""
    between: tuple[float, float]
    """How strong attacks are half-way between beats, over those on beats, of A and of B."""
    half_beats: int
    """A is moved on by so many halves of a beat, -1 to 1, as either is half a beat off; part of `offsets`."""


def fit_grid(
    a: FloatArray,
    b: FloatArray,
    a_frames: DoubleArray,
    b_frames: DoubleArray,
    rate_hz: int,
    *,
    bar_beats: int,
) -> GridFit:
    """Fit A to B, `(frames, 2)` float32 each.

    a_frames, b_frames: `(bars + 1,)` frames of either audio, bar lines that are to fall on each other.
    bar_beats: beats of a bar.
    """
    hop = SURROUNDINGS_HOP_FRAMES
    of_a, of_b = _smooth(attack_strengths(a, rate_hz)), _smooth(attack_strengths(b, rate_hz))
    reach = round(FIT_RANGE_S * rate_hz / hop)
    lags = np.arange(-reach, reach + 1)
    bars = len(b_frames) - 1
    between = (
        _between(of_a, a_frames / hop, bar_beats, rate_hz),
        _between(of_b, b_frames / hop, bar_beats, rate_hz),
    )
    half = 0.5 * float(a_frames[-1] - a_frames[0]) / max(1, bars * bar_beats)
    found = _correlations(of_a, of_b, a_frames, b_frames, lags)
    half_beats = 0
    if min(between) < 1.0 < max(between):
        # The attacks of one of them lie rather between its beats: do they go together half a beat away?
        for moved in (-1, 1):
            other = _correlations(of_a, of_b, a_frames + moved * half, b_frames, lags)
            if other.mean(axis=0).max() > found.mean(axis=0).max():
                found, half_beats = other, moved
    together = _together(found)
    judged = together - _AWAY_WEIGHT * np.square(lags / max(reach, 1)) * np.maximum(together, 0.0)
    places = judged.argmax(axis=1)
    best = together[np.arange(bars), places]
    offsets = np.where(best >= _LEAST_CORRELATION, lags[places] + _vertices(judged, places), 0.0)
    alone = lags[found.argmax(axis=1)] + _vertices(found, found.argmax(axis=1))
    heard_alone = found.max(axis=1) >= _LEAST_CORRELATION
    errors = np.abs(alone - offsets)[heard_alone]
    return GridFit(
        offsets=offsets * hop + half_beats * half,
        correlations=best,
        error_frames=float(np.median(errors)) * hop if len(errors) else float("nan"),
        between=between,
        half_beats=half_beats,
    )


def _correlations(
    of_a: DoubleArray, of_b: DoubleArray, a_frames: DoubleArray, b_frames: DoubleArray, lags: IntArray
) -> DoubleArray:
    """Return `(bars, lags)`, how the attacks of each bar of B go with those of A, later by so many hops."""
    hop, bars = SURROUNDINGS_HOP_FRAMES, len(b_frames) - 1
    found = np.zeros((bars, len(lags)))
    for bar in range(bars):
        first, stop = b_frames[bar] / hop, b_frames[bar + 1] / hop
        # A little earlier, so that the attack on the bar line is within.
        early = 0.1 * (stop - first)
        here = np.arange(max(0, int(first - early)), min(len(of_b), int(stop - early)))
        if len(here) < 2 * (len(lags) - 1):
            continue
        there = np.interp(here * hop, b_frames, a_frames)
        there += np.where(here * hop < b_frames[0], here * hop - b_frames[0], 0.0)
        for place, lag in enumerate(lags):
            heard = np.interp(there / hop + lag, np.arange(len(of_a)), of_a)
            found[bar, place] = _correlation(heard, of_b[here])
    return found


def _between(strengths: DoubleArray, lines: DoubleArray, bar_beats: int, rate_hz: int) -> float:
    """Return how strong attacks are half-way between beats, over those on beats; lines: of bars, in hops."""
    halves = 2 * bar_beats
    bars = np.arange((len(lines) - 1) * halves) / halves
    places = np.round(np.interp(bars, np.arange(len(lines)), lines)).astype(np.int64)
    near = round(_NEAR_BEAT_S * rate_hz / SURROUNDINGS_HOP_FRAMES)
    around = np.clip(places[:, None] + np.arange(-near, near + 1), 0, len(strengths) - 1)
    heard = strengths[around].max(axis=1)
    on_beats = float(heard[::2].sum())
    return float(heard[1::2].sum()) / on_beats if on_beats > 0.0 else 0.0


def _smooth(strengths: FloatArray) -> DoubleArray:
    return np.convolve(strengths.astype(np.float64), [0.25, 0.5, 0.25], "same")


def _correlation(x: DoubleArray, y: DoubleArray) -> float:
    x, y = x - x.mean(), y - y.mean()
    energy = float(np.square(x).sum() * np.square(y).sum())
    return float((x * y).sum() / np.sqrt(energy)) if energy > 1e-12 else 0.0


def _together(found: DoubleArray) -> DoubleArray:
    """Return the correlations of each bar and its neighbours, weighted."""
    total, weights = np.zeros_like(found), np.zeros((len(found), 1))
    for apart, weight in enumerate(_NEIGHBOURS):
        for sign in {1, -1} if apart else {1}:
            shift = sign * apart
            to = slice(max(0, shift), len(found) + min(0, shift))
            of = slice(max(0, -shift), len(found) + min(0, -shift))
            total[to] += weight * found[of]
            weights[to] += weight
    together: DoubleArray = total / weights
    return together


def _vertices(values: DoubleArray, places: np.ndarray) -> DoubleArray:
    """Return where between its neighbours the highest of each row really is, -0.5 to 0.5."""
    rows, last = np.arange(len(values)), values.shape[1] - 1
    inside = (places > 0) & (places < last)
    left, right = values[rows, np.maximum(places - 1, 0)], values[rows, np.minimum(places + 1, last)]
    bend = left - 2.0 * values[rows, places] + right
    vertex = 0.5 * (left - right) / np.where(bend < 0.0, bend, -1.0)
    return np.where(inside & (bend < 0.0), np.clip(vertex, -0.5, 0.5), 0.0)
