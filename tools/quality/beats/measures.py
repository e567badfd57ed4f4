"""These measures say how well tracked beats and bars agree with the truth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray
from tools.quality.beats.truth import BeatTruth
from tools.songs.rhythm.rhythm import CLEAR_BEAT, Rhythm

HIT_S = 0.07
"""A beat is right within this of a true one (Davies, Degara and Plumbley, 2009)."""
RATIO_TOLERANCE = 0.06
OCTAVE_LEVELS = {"same": 1.0, "double": 2.0, "half": 0.5, "quadruple": 4.0, "quarter": 0.25}
"""Tempi of the octave, in true ones."""
TRIPLE_LEVELS = {"triple": 3.0, "third": 1.0 / 3.0, "sextuple": 6.0}
"""Levels of the metre only where bars or beats fall into three."""
WRONG_LEVELS = {"2:3": 2.0 / 3.0, "3:2": 1.5, "3:4": 0.75, "4:3": 4.0 / 3.0}
FITTING_F = 0.7
"""A song whose beats agree less than this with every level of the metre is wrong."""


@dataclass(frozen=True, kw_only=True)
class BeatFigures:
    """How one song's beats agree with its truth; F-measures are 0 to 1."""

    level: str
    """Tracked tempo against the true one: a name of the levels above, `other` or `none`."""
    beat_f: float
    """Of all beats against the true ones, octaves not forgiven."""
    level_f: float
    """The same against the level of the metre that was tracked: octaves forgiven."""
    downbeat_f: float
    bar_f: float
    """Of downbeats, where every second one, or a half of bars of four, is as good; both nan without truth."""
    confidence: float
    bar_confidence: float
    error_s: float
    """Median distance of right beats from the true ones; nan without any."""
    sure_share: float
    """Share of the beats that are said to be sure."""
    sure_wrong_share: float
    """Share of the sure ones that are on no level of the metre; 0 without any."""

    @property
    def sure(self) -> bool:
        """Whether the song is said to have a beat."""
        return self.confidence >= CLEAR_BEAT

    @property
    def wrong(self) -> bool:
        """Whether its beats are on no level of the metre."""
        return self.level_f < FITTING_F


def f_measure(found_s: DoubleArray, true_s: DoubleArray, window_s: float = HIT_S) -> float:
    """Return the F-measure of `(n,)` against `(m,)` rising times: each is matched with one other at most."""
    if not len(found_s) or not len(true_s):
        return 0.0
    hits = found = true = 0
    # Intervals of one length on a line: taking the earliest that fits is best.
    while found < len(found_s) and true < len(true_s):
        apart_s = found_s[found] - true_s[true]
        if abs(apart_s) <= window_s:
            hits += 1
        found += apart_s <= window_s
        true += apart_s >= -window_s
    return 2.0 * hits / (len(found_s) + len(true_s))


def judge_beats(rhythm: Rhythm, truth: BeatTruth) -> BeatFigures:
    """Return the figures of a song's rhythm, within the stretches that its truth is known of."""
    beats = rhythm.beats
    inside = _inside(beats.times_s, truth)
    found_s, confidence = beats.times_s[inside], beats.confidence[inside]
    level = _level(beats.times_s, truth)
    grid_s = _grid(truth, level, found_s)
    sure = confidence >= CLEAR_BEAT
    off_s = _distances_s(found_s, grid_s)
    right = off_s <= HIT_S
    downbeats_s = rhythm.downbeats_s()
    downbeats_s = downbeats_s[_inside(downbeats_s, truth)]
    true_bars_s = truth.times_s[truth.positions == 0]
    return BeatFigures(
        level=level if len(found_s) else "none",
        beat_f=f_measure(found_s, truth.times_s),
        level_f=f_measure(found_s, grid_s),
        downbeat_f=f_measure(downbeats_s, true_bars_s) if len(true_bars_s) else float("nan"),
        bar_f=_bar_f(downbeats_s, truth),
        confidence=float(np.median(confidence)) if len(confidence) else 0.0,
        bar_confidence=rhythm.bars.confidence,
        error_s=float(np.median(off_s[right])) if right.any() else float("nan"),
        sure_share=float(sure.mean()) if len(sure) else 0.0,
        sure_wrong_share=float((~right[sure]).mean()) if sure.any() else 0.0,
    )


def _inside(times_s: DoubleArray, truth: BeatTruth) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(times_s), dtype=np.bool_)
    for start_s, stop_s in truth.stretches_s:
        inside |= (times_s >= start_s - HIT_S) & (times_s <= stop_s + HIT_S)
    return inside


def _level(found_s: DoubleArray, truth: BeatTruth) -> str:
    """Return the tempo of the found beats against the true one, by the median over the true beats."""
    if len(found_s) < 2:
        return "none"
    middles_s = (truth.times_s[:-1] + truth.times_s[1:]) / 2
    true_s = np.diff(truth.times_s)
    known = _inside(middles_s, truth) & (true_s < 4 * np.median(true_s))
    at = np.clip(np.searchsorted(found_s, middles_s), 1, len(found_s) - 1)
    ratio = float(np.median((true_s / (found_s[at] - found_s[at - 1]))[known]))
    for name, value in {**OCTAVE_LEVELS, **TRIPLE_LEVELS, **WRONG_LEVELS}.items():
        if abs(np.log(ratio / value)) < RATIO_TOLERANCE:
            return name
    return "other"


def _grid(truth: BeatTruth, level: str, found_s: DoubleArray) -> DoubleArray:
    """Return the beats of the level of the metre that was tracked; the true ones for no level.

    Of a slower one, those of each stretch that the found beats are nearest to.
    """
    levels = {**OCTAVE_LEVELS, **(TRIPLE_LEVELS if truth.thirds or truth.bar_beats == 3 else {})}
    ratio = levels.get(level, 1.0)
    if ratio >= 1.0:
        return _divided(truth, round(ratio))
    every = round(1.0 / ratio)
    grids = []
    for start_s, stop_s in truth.stretches_s:
        inside_s = truth.times_s[(truth.times_s >= start_s) & (truth.times_s <= stop_s)]
        near_s = found_s[(found_s >= start_s - HIT_S) & (found_s <= stop_s + HIT_S)]
        grids.append(
            max((inside_s[phase::every] for phase in range(every)), key=lambda grid: f_measure(near_s, grid))
        )
    return np.concatenate(grids)


def _divided(truth: BeatTruth, parts: int) -> DoubleArray:
    gaps_s = np.diff(truth.times_s)
    usual = gaps_s < 2 * np.median(gaps_s)
    times_s = [truth.times_s]
    times_s += [truth.times_s[:-1][usual] + part / parts * gaps_s[usual] for part in range(1, parts)]
    return np.sort(np.concatenate(times_s))


def _bar_f(downbeats_s: DoubleArray, truth: BeatTruth) -> float:
    bars = np.flatnonzero(truth.positions == 0)
    true_s = truth.times_s[bars]
    if not len(true_s):
        return float("nan")
    options = [true_s, true_s[::2], true_s[1::2]]
    if truth.bar_beats == 4:
        options.append(truth.times_s[truth.positions % 2 == 0])
    return max(f_measure(downbeats_s, option_s) for option_s in options)


def _distances_s(found_s: DoubleArray, true_s: DoubleArray) -> DoubleArray:
    if not len(true_s):
        return np.full(len(found_s), np.inf)
    at = np.clip(np.searchsorted(true_s, found_s), 1, max(1, len(true_s) - 1))
    before_s = np.abs(found_s - true_s[at - 1])
    after_s = np.abs(found_s - true_s[np.minimum(at, len(true_s) - 1)])
    return np.minimum(before_s, after_s)
