"""This module finds a song's tempo over time, each second in the octave that most music is counted in."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from tools.songs.rhythm.onsets import ENVELOPE_RATE_HZ

SLOWEST_BPM = 70.0
FASTEST_BPM = 180.0
STEPS_PER_OCTAVE = 60
STEP_S = 0.5
"""The tempo is looked at this often."""
_WINDOW_S = 10.0
MULTIPLES = ((1, 1.0), (2, 0.7), (3, 0.3), (4, 0.6))
"""A beat also repeats after two beats and after a bar: periods and their weights."""
PRIOR_BPM = 115.0
PRIOR_OCTAVES = 0.7
"""People tap around this tempo (Moelants, 2002; as in librosa's prior, narrower)."""
CHANGE_COST = 3.0
"""What a jump to another tempo costs, in steps of perfect periodicity."""
RELATED_COST = 9.0
"""The same for a jump to a related tempo (half, double, 2:3, 3:4): mostly the same beat counted otherwise."""
RELATED_OCTAVES = (1.0, 0.585, 0.415)
RELATED_STEPS = 2
DRIFT_COST = 0.02
"""What a step to the neighbouring tempo costs."""
BLOCK_WINDOWS = 2_048


def tempo_grid_bpm() -> DoubleArray:
    """Return the tempi that are told apart, `SLOWEST_BPM` to `FASTEST_BPM`, evenly in octaves."""
    steps = round(STEPS_PER_OCTAVE * np.log2(FASTEST_BPM / SLOWEST_BPM))
    return SLOWEST_BPM * 2.0 ** (np.arange(steps + 1) / STEPS_PER_OCTAVE)


@dataclass(frozen=True, kw_only=True, eq=False)
class TempoPath:
    """A song's tempo over time.

    bpm: `(steps,)` float64, every `STEP_S`. periodicity: `(steps, tempi)` float64, 0 to 1, how periodic the
    song is there in each tempo of `tempo_grid_bpm`.
    """

    bpm: DoubleArray
    periodicity: DoubleArray

    def periodicity_of(self, ratio: float) -> DoubleArray:
        """Return `(steps,)`: how periodic the song is in `ratio` times its tempo."""
        place = np.rint(STEPS_PER_OCTAVE * np.log2(ratio * self.bpm / SLOWEST_BPM)).astype(np.int64)
        steps, tempi = self.periodicity.shape
        near = [np.clip(place + shift, 0, tempi - 1) for shift in (-1, 0, 1)]
        found: DoubleArray = np.max([self.periodicity[np.arange(steps), at] for at in near], axis=0)
        return found

    def periodic_at(self, times_s: DoubleArray, ratio: float) -> float:
        """Return the mean of `periodicity_of` around some instants of the song."""
        steps = np.clip(np.rint(times_s / STEP_S).astype(np.int64), 0, len(self.bpm) - 1)
        return float(self.periodicity_of(ratio)[steps].mean())


def tempo_path(envelope: FloatArray) -> TempoPath:
    """Return the tempo of a song over time.

    envelope: `(frames,)`, from `tools.songs.rhythm.onsets.Onsets`. The best path through the
    autocorrelation of the envelope in windows of `_WINDOW_S`, by dynamic programming: tempo may drift and,
    for a price, jump.
    """
    salience, periodicity = _salience(envelope)
    path = _best_path(salience, _jump_costs(salience.shape[1]), DRIFT_COST)
    return TempoPath(bpm=tempo_grid_bpm()[path], periodicity=periodicity)


def _salience(envelope: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    size = round(_WINDOW_S * ENVELOPE_RATE_HZ)
    hop = round(STEP_S * ENVELOPE_RATE_HZ)
    padded = np.pad(envelope, (size // 2, size // 2 + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    frames = frames[: 1 + len(envelope) // hop]
    bpm = tempo_grid_bpm()
    periods = 60.0 * ENVELOPE_RATE_HZ / bpm
    salience = np.empty((len(frames), len(bpm)))
    for start in range(0, len(frames), BLOCK_WINDOWS):
        block = frames[start : start + BLOCK_WINDOWS]
        # A lag's correlation is over what is left of the window: divided by the window's own.
        window = np.hanning(size + 2)[1:-1]
        centred = (block - block.mean(axis=1, keepdims=True)) * window
        limit = int(4 * periods[0]) + 3
        lags = _autocorrelation(centred, limit)
        fair = _autocorrelation(window, limit)
        lags = lags / np.maximum(lags[:, :1], 1e-9) * (fair[0] / fair)
        total = sum(weight for _, weight in MULTIPLES)
        values = sum(weight * _at(lags, multiple * periods) for multiple, weight in MULTIPLES) / total
        salience[start : start + BLOCK_WINDOWS] = values
    periodicity = np.clip(salience, 0.0, 1.0)
    prior = np.exp(-0.5 * (np.log2(bpm / PRIOR_BPM) / PRIOR_OCTAVES) ** 2)
    return periodicity * prior, periodicity


def _autocorrelation(signals: DoubleArray, lags: int) -> DoubleArray:
    """Return the first `lags` of the autocorrelation along the last axis, zeros beyond the ends."""
    size = scipy.fft.next_fast_len(signals.shape[-1] + lags, real=True)
    powers = np.square(np.abs(scipy.fft.rfft(signals, size)))
    found: DoubleArray = scipy.fft.irfft(powers, size)[..., :lags]
    return found


def _at(lags: DoubleArray, places: DoubleArray) -> DoubleArray:
    """Return the values at fractional lags: a period is seldom whole frames."""
    low = places.astype(np.int64)
    share = places - low
    between: DoubleArray = lags[:, low] * (1 - share) + lags[:, low + 1] * share
    return between


def _jump_costs(tempi: int) -> DoubleArray:
    """Return the cost of a jump by so many steps of the grid."""
    steps = np.arange(tempi)
    related = np.zeros(tempi, dtype=np.bool_)
    for octaves in RELATED_OCTAVES:
        related |= np.abs(steps - STEPS_PER_OCTAVE * octaves) <= RELATED_STEPS
    return np.where(related, RELATED_COST, CHANGE_COST)


@kernel
def _best_path(salience: DoubleArray, jump_costs: DoubleArray, drift_cost: float) -> IntArray:
    steps, tempi = salience.shape
    score = salience[0].copy()
    before = np.zeros((steps, tempi), dtype=np.int64)
    for step in range(1, steps):
        ahead = np.empty(tempi)
        for tempo in range(tempi):
            origin, value = tempo, score[tempo]
            for near in range(tempi):
                away = abs(near - tempo)
                there = score[near] - (drift_cost * away if away <= 2 else jump_costs[away])
                if there > value:
                    origin, value = near, there
            before[step, tempo] = origin
            ahead[tempo] = value + salience[step, tempo]
        score = ahead
    path = np.empty(steps, dtype=np.int64)
    path[-1] = score.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = before[step, path[step]]
    return path
