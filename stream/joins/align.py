"""The alignment moves B so that its beats, its attacks and its waves fall on those of A."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.features.phase import in_phase
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, Seam

GRID_ONSET_RANGE_S = 0.045
"""Around a shift that comes from beats: about how far these are off."""
FREE_ONSET_RANGE_S = 0.060
"""Without beats nothing says that a shift is right but the audio itself."""
SAMPLE_RANGE_S = 0.005
FREE_SAMPLE_RANGE_S = 0.012
"""Half a period of the lowest bass, where no attack tells the time."""
ONSET_WINDOW_S = 0.45
SAMPLE_WINDOW_S = 0.060
LEAST_ONSET_CORRELATION = 0.35
LEAST_SAMPLE_CORRELATION = 0.15
LEAST_ONSET_DB = 0.3
"""Onset strengths that vary less than this, in root mean square, are no attacks."""
LOW_PASS_FRAMES = 48
"""Length of the smoothing before waves are compared: what is above about 1 kHz has no phase to keep."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far B is moved against A, and why; positive: B is later than cut on start."""

    frames: int
    grid_ms: float | None
    """What the beats of both ask for; None without beats."""
    onset_ms: float
    """What the attacks add to it."""
    onset_correlation: float
    """Correlation of both songs' attacks at its best; below `LEAST_ONSET_CORRELATION` it adds nothing."""
    sample_ms: float
    """What the waves add to it."""
    sample_correlation: float
    """Correlation of both, low-passed, at its best; below `LEAST_SAMPLE_CORRELATION` it adds nothing."""


def grid_shift_s(since_beat_s: float, until_beat_s: float, period_s: float, ratio: float = 1.0) -> float:
    """Return the smallest shift that puts B's first beat on a beat of A's continuing grid, in seconds.

    since_beat_s: from A's last beat to its cut. until_beat_s: from B's start to its first beat.
    period_s: A's beat. ratio: tempo of B in tempos of A; from 1.5 on, B's beats also fall between A's.
    """
    step_s = period_s / max(1, round(ratio))
    shift_s = -since_beat_s - until_beat_s
    return shift_s - step_s * round(shift_s / step_s)


def find_shift(a: Seam, b: Seam, rate_hz: int, *, grid_s: float | None, longest_s: float) -> Shift:
    """Return how far B is to be moved, at most `longest_s` either way.

    a: around A's cut, with what follows it in its song. b: around B's start, with what precedes it.
    grid_s: what the beats ask for, if both have some.
    """
    start_s = 0.0 if grid_s is None else float(np.clip(grid_s, -longest_s, longest_s))
    start = round(start_s * rate_hz)
    limit = round(longest_s * rate_hz)
    onset_range_s = FREE_ONSET_RANGE_S if grid_s is None else GRID_ONSET_RANGE_S
    moved, onset_r = onset_shift(
        a.onset,
        b.onset,
        start / SURROUNDINGS_HOP_FRAMES,
        onset_range_s * rate_hz / SURROUNDINGS_HOP_FRAMES,
        rate_hz,
    )
    heard = onset_r >= LEAST_ONSET_CORRELATION
    middle = round(moved * SURROUNDINGS_HOP_FRAMES) if heard else start
    middle = int(np.clip(middle, -limit, limit))
    sample_range_s = SAMPLE_RANGE_S if heard or grid_s is not None else FREE_SAMPLE_RANGE_S
    final, sample_r = sample_shift(a.audio, b.audio, middle, round(sample_range_s * rate_hz), rate_hz)
    if sample_r < LEAST_SAMPLE_CORRELATION:
        final = middle
    final = int(np.clip(final, -limit, limit))
    return Shift(
        frames=final,
        grid_ms=None if grid_s is None else 1e3 * grid_s,
        onset_ms=1e3 * (middle - start) / rate_hz,
        onset_correlation=onset_r,
        sample_ms=1e3 * (final - middle) / rate_hz,
        sample_correlation=sample_r,
    )


def onset_shift(
    a: FloatArray, b: FloatArray, start_hops: float, range_hops: float, rate_hz: int
) -> tuple[float, float]:
    """Return the shift of `b` in hops (with fractions) that fits the attacks of `a` best, and how well.

    a, b: `(T,)` onset strengths, the seam at `T // 2`. It is looked for within `range_hops` of
    `start_hops`; how well: correlation of both around the seam, 0 when one has no attacks.
    """
    centre = len(a) // 2
    half = min(int(ONSET_WINDOW_S * rate_hz / SURROUNDINGS_HOP_FRAMES), centre - 1)
    weights = np.hanning(2 * half + 3)[1:-1]
    lags = np.arange(int(np.ceil(start_hops - range_hops)), int(start_hops + range_hops) + 1)
    lags = lags[(lags >= -(centre - half - 1)) & (lags <= centre - half - 1)]
    if not len(lags):
        return start_hops, 0.0
    # Attacks may miss each other by a window: a little breadth makes a near miss count.
    first = _smooth(a)[centre - half : centre + half + 1]
    others = _smooth(b)
    found = np.array(
        [_correlation(first, others[centre - half - lag : centre + half + 1 - lag], weights) for lag in lags]
    )
    # Of two shifts that fit alike, the smaller.
    judged = found * (1.0 - 0.2 * np.square((lags - start_hops) / max(range_hops, 1.0)))
    best = _summit(found, int(judged.argmax()))
    return float(lags[best]) + _vertex(found, best), float(found[best])


def sample_shift(a: FloatArray, b: FloatArray, start: int, search: int, rate_hz: int) -> tuple[int, float]:
    """Return the shift of `b` in frames, within `search` of `start`, at which the waves fit best, and r.

    a, b: `(2 * reach, 2)` float32 around the seam; compared are their mono sums, low-passed.
    """
    centre = len(a) // 2
    half = round(SAMPLE_WINDOW_S * rate_hz)
    search = min(search, centre - half - abs(start) - LOW_PASS_FRAMES)
    if search < 0:
        return start, 0.0
    low = _low_passed(a[centre - half - LOW_PASS_FRAMES : centre + half + LOW_PASS_FRAMES])
    first = centre - half - start - search - LOW_PASS_FRAMES
    others = _low_passed(b[first : first + 2 * (half + search + LOW_PASS_FRAMES)])
    window = np.hanning(len(low) + 2)[1:-1]
    # Place k of the result belongs to the shift start + search - k.
    products = np.correlate(others, low * window, "valid")
    energies = np.maximum(np.correlate(np.square(others), window, "valid"), 0.0)
    energy = float(np.square(low) @ window)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = products / np.sqrt(energies * energy)
    found[~np.isfinite(found) | (energies < 1e-9) | (energy < 1e-9)] = 0.0
    shifts = start + search - np.arange(len(found))
    judged = found * (1.0 - 0.2 * np.square((shifts - start) / max(search, 1)))
    best = _summit(found, int(judged.argmax()))
    return int(shifts[best]), float(found[best])


def _low_passed(audio: FloatArray) -> DoubleArray:
    """Return the smoothed mono sum of `(frames, 2)`, `LOW_PASS_FRAMES` shorter at either end."""
    mono = in_phase(audio).astype(np.float64).mean(axis=1)
    kernel = np.hanning(2 * LOW_PASS_FRAMES + 3)[1:-1]
    smoothed: DoubleArray = np.convolve(mono, kernel / kernel.sum(), "valid")
    return smoothed


def _smooth(onset: FloatArray) -> DoubleArray:
    return np.convolve(onset.astype(np.float64), [0.25, 0.5, 0.25], "same")


def _correlation(a: DoubleArray, b: DoubleArray, weights: DoubleArray) -> float:
    total = weights.sum()
    x, y = a - weights @ a / total, b - weights @ b / total
    of_a, of_b = float(weights @ (x * x)), float(weights @ (y * y))
    if min(of_a, of_b) < total * LEAST_ONSET_DB**2:
        return 0.0
    return float(weights @ (x * y)) / float(np.sqrt(of_a * of_b))


def _summit(values: DoubleArray, place: int) -> int:
    """Climb from `place` to the local maximum: a preference chooses the hill, not the place on it."""
    while place > 0 and values[place - 1] > values[place]:
        place -= 1
    while place < len(values) - 1 and values[place + 1] > values[place]:
        place += 1
    return place


def _vertex(values: DoubleArray, best: int) -> float:
    """Return where between its neighbours the highest of `values` really is, -0.5 to 0.5."""
    if not 0 < best < len(values) - 1:
        return 0.0
    left, top, right = values[best - 1 : best + 2]
    bend = left - 2.0 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
