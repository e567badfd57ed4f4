"""This module finds a song's beats at the start of their attacks, and how sure it is of a beat at all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from tools.songs.rhythm.counting import LEAST_BPM, MOST_BPM, count_beats
from tools.songs.rhythm.onsets import ENVELOPE_RATE_HZ, Attacks, Onsets
from tools.songs.rhythm.tempo import STEP_S, tempo_path

TIGHTNESS = 300.0
"""How closely beats keep to the tempo (librosa's is 100; here the path of tempi follows every change)."""
SEARCH_PART = 0.12
"""An attack belongs to a beat if it is no further from it than this part of a beat."""
NEIGHBOURS = 8
"""A beat is predicted from so many before and after it."""
ON_TIME_S = 0.015
"""An attack this close to where its neighbours predict it is on time."""
SHARP_RISE = 0.8
"""An attack this sharp, in decades of energy over three bands, settles where its beat is."""
_SHORTEST_S = 8.0
"""No beat can be told in less."""
_DOUBTFUL, _CERTAIN = 0.7, 0.9
"""Certainties of the count between which confidence rises from none to full."""
LOCAL_BEATS = 12
"""Confidence is local: over so many beats before and after."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Beats:
    """Beats of a song; all arrays are `(beats,)` float64, rising in time; none when there is no beat.

    times_s: where the attack of each beat begins, in seconds from the song's first sample.
    tempo_bpm: tempo around each beat.
    confidence: 0 to 1 around each beat.
    """

    times_s: DoubleArray
    tempo_bpm: DoubleArray
    confidence: DoubleArray
    song_confidence: float
    """0 to 1 for the song: its middle beat's confidence."""

    def __len__(self) -> int:
        return len(self.times_s)


def no_beats() -> Beats:
    """Return the beats of a song that has none."""
    none = np.empty(0)
    return Beats(times_s=none, tempo_bpm=none, confidence=none, song_confidence=0.0)


def track_beats(onsets: Onsets, attacks: Attacks, chroma: FloatArray) -> Beats:
    """Return the beats of a song by its onsets, attacks and `chroma_frames`.

    Dynamic programming along a path of tempi, in the likeliest count of `tools.songs.rhythm.counting`; then
    each beat moves to the attack near it, where it has one that its neighbours confirm. Confidence is the
    share of beats whose attack is where their neighbours predict it, above what chance gives, times how far
    beats stand out of the places between them, times how certain the count is.
    """
    envelope = onsets.envelope()
    if len(envelope) < _SHORTEST_S * ENVELOPE_RATE_HZ or not envelope.max() > 0:
        return no_beats()
    path = tempo_path(envelope)
    counted = count_beats(onsets, chroma, path, lambda bpm: _rough_beats(envelope, bpm))
    steps_s = np.arange(len(path.bpm)) * STEP_S
    periodic = np.interp(counted.times_s, steps_s, path.periodicity_of(1.0))
    return _beats(counted.times_s, envelope, attacks, periodic, counted.certainty)


def _beats(
    rough_s: DoubleArray, envelope: FloatArray, attacks: Attacks, periodic: DoubleArray, certainty: float
) -> Beats:
    if len(rough_s) < 2 * NEIGHBOURS:
        return no_beats()
    times_s, on_time = _refined(rough_s, attacks)
    kept = np.append(True, np.diff(times_s) > 30.0 / MOST_BPM)
    times_s, on_time, periodic = times_s[kept], on_time[kept], periodic[kept]
    if len(times_s) < 2 * NEIGHBOURS:
        return no_beats()
    confidence = _confidence(on_time, _contrast(envelope, times_s), periodic)
    confidence *= np.clip((certainty - _DOUBTFUL) / (_CERTAIN - _DOUBTFUL), 0.0, 1.0)
    return Beats(
        times_s=times_s,
        tempo_bpm=np.clip(_local_tempo(times_s), 0.9 * LEAST_BPM, 1.1 * MOST_BPM),
        confidence=confidence,
        song_confidence=float(np.median(confidence)),
    )


def _rough_beats(envelope: FloatArray, bpm: DoubleArray) -> DoubleArray:
    """Return the beats that gather most onsets while keeping to the tempo, to the frame, in seconds."""
    periods = 60.0 * ENVELOPE_RATE_HZ / bpm
    # Onsets that are a little early or late count, too.
    smooth = scipy.ndimage.gaussian_filter1d(envelope.astype(np.float64), float(np.median(periods)) / 32.0)
    return _track(smooth / (smooth.std() + 1e-9), periods, TIGHTNESS) / ENVELOPE_RATE_HZ


@kernel
def _track(strength: DoubleArray, periods: DoubleArray, tightness: float) -> DoubleArray:
    """Return the frames of the beats, by dynamic programming (Ellis, 2007), for a period at every frame.

    As librosa's tracker does it; that one takes whole frames as periods, and compiles in every process.
    """
    frames = len(strength)
    logs = np.log(np.arange(1, int(2 * periods.max()) + 3).astype(np.float64))
    score = strength.copy()
    origin = np.full(frames, -1, dtype=np.int64)
    for frame in range(frames):
        period = periods[frame]
        best, first = -np.inf, max(0, int(frame - 2 * period))
        usual = np.log(period)
        for before in range(first, int(frame - period / 2) + 1):
            away = logs[frame - before - 1] - usual
            value = score[before] - tightness * away * away
            if value > best:
                best, origin[frame] = value, before
        if origin[frame] >= 0:
            score[frame] += best
    # The last beat is the best of the last period.
    last = frames - 1
    for frame in range(max(0, int(frames - periods[-1])), frames):
        if score[frame] > score[last]:
            last = frame
    beats = np.empty(frames)
    count = 0
    while last >= 0:
        beats[count] = last
        count += 1
        last = origin[last]
    return beats[:count][::-1].copy()


def _strength(envelope: FloatArray, times_s: DoubleArray) -> DoubleArray:
    """Return the onset strength around each instant."""
    frames = np.arange(len(envelope))
    near = [np.interp(times_s * ENVELOPE_RATE_HZ + shift, frames, envelope) for shift in (-1, 0, 1, 2)]
    return np.asarray(np.max(near, axis=0))


def _refined(rough_s: DoubleArray, attacks: Attacks) -> tuple[DoubleArray, DoubleArray]:
    """Return where the beats are, and for each whether an attack is where its neighbours predict it."""
    around_s = SEARCH_PART * np.median(np.diff(rough_s))
    found = attacks.between(rough_s - around_s, rough_s + around_s)
    attack_s, rise = found[:, 0], found[:, 1]
    weight = np.minimum(rise, 2 * SHARP_RISE) ** 2 + 1e-3
    # Twice: the second time around where the line of the first one says that the beat is.
    for _ in range(2):
        predicted = _predicted(attack_s, weight)
        reach_s = np.minimum(around_s, 0.03)
        found = attacks.between(predicted - reach_s, predicted + reach_s)
        attack_s, rise = found[:, 0], found[:, 1]
        weight = (
            np.minimum(rise, 2 * SHARP_RISE) ** 2 / (1 + ((attack_s - predicted) / ON_TIME_S) ** 2) + 1e-3
        )
    predicted = _predicted(attack_s, weight)
    share = np.clip(rise / SHARP_RISE, 0.0, 1.0) / (1 + ((attack_s - predicted) / ON_TIME_S) ** 4)
    times_s = predicted + share * (attack_s - predicted)
    lost = _left_their_place(times_s, rough_s)
    times_s = np.where(lost, rough_s, times_s)
    # On time: with respect to the tracker's own place, which chance would not put near an attack.
    near = attacks.between(predicted - around_s, predicted + around_s)
    on_time = (np.abs(near[:, 0] - predicted) < ON_TIME_S) & (near[:, 1] > 0.25 * SHARP_RISE) & ~lost
    chance = min(0.9, ON_TIME_S / around_s)
    return times_s, np.clip((on_time - chance) / (1 - chance), -1.0, 1.0)


def _left_their_place(times_s: DoubleArray, rough_s: DoubleArray) -> npt.NDArray[np.bool_]:
    """Return which beats lie nearer to a neighbour's place than to their own: their order would not hold."""
    gaps_s = np.diff(rough_s)
    nearest_s = np.minimum(np.append(gaps_s[:1], gaps_s), np.append(gaps_s, gaps_s[-1:]))
    return np.asarray(np.abs(times_s - rough_s) > 0.5 * nearest_s)


def _predicted(times_s: DoubleArray, weight: DoubleArray) -> DoubleArray:
    """Return where the weighted curve through its neighbours, without itself, puts each beat.

    Three are tried: a parabola through those on both sides, for tempo drifts, and lines through those before
    and after: across a change of tempo only one side fits.
    """
    count = len(times_s)
    best = times_s.copy()
    least = np.full(count, np.inf)
    for before, after, degree in ((NEIGHBOURS, NEIGHBOURS, 2), (NEIGHBOURS, 0, 1), (0, NEIGHBOURS, 1)):
        offsets = np.array([offset for offset in range(-before, after + 1) if offset != 0])
        index = np.arange(count)[:, None] + offsets
        inside = (index >= 0) & (index < count)
        index = np.clip(index, 0, count - 1)
        values = times_s[index] - times_s[:, None]
        weights = np.where(inside, weight[index], 0.0)
        powers = (offsets[:, None] / NEIGHBOURS) ** np.arange(degree + 1)
        for _ in range(3):
            weighted = weights[:, :, None] * powers
            square = powers.T @ weighted + 1e-9 * np.eye(degree + 1)
            curve = np.linalg.solve(square, (weighted * values[:, :, None]).sum(axis=1)[:, :, None])[:, :, 0]
            errors = values - curve @ powers.T
            scale = np.sqrt((weights * errors**2).sum(axis=1) / (weights.sum(axis=1) + 1e-12)) + 1e-3
            weights = np.where(inside, weight[index], 0.0) / (1 + (errors / (2 * scale[:, None])) ** 2)
        enough = inside.sum(axis=1) >= NEIGHBOURS
        # One side alone predicts worse: it must fit clearly better.
        misfit = np.where(enough, scale * (1.0 if before == after else 1.5), np.inf)
        better = misfit < least
        least = np.where(better, misfit, least)
        best = np.where(better, times_s + curve[:, 0], best)
    return best


def _local_tempo(times_s: DoubleArray) -> DoubleArray:
    intervals = np.diff(times_s)
    around = np.pad(intervals, (4, 4), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, 8)
    tempo: DoubleArray = 60.0 / np.median(windows, axis=1)[: len(times_s)]
    return tempo


def _contrast(envelope: FloatArray, times_s: DoubleArray) -> DoubleArray:
    """Return for each beat how far it stands out of the places at a quarter and three quarters after it."""
    periods = np.append(np.diff(times_s), np.diff(times_s)[-1:])
    on = _strength(envelope, times_s)
    off = 0.5 * (
        _strength(envelope, times_s + 0.25 * periods) + _strength(envelope, times_s + 0.75 * periods)
    )
    contrast: DoubleArray = (on - off) / (on + off + 1e-6)
    return contrast


def _confidence(on_time: DoubleArray, contrast: DoubleArray, periodicity: DoubleArray) -> DoubleArray:
    size = 2 * LOCAL_BEATS + 1

    def smooth(values: DoubleArray) -> DoubleArray:
        total, counted = (
            scipy.ndimage.uniform_filter1d(array, size, mode="constant")
            for array in (values.astype(np.float64), np.ones(len(values)))
        )
        return np.asarray(total / counted)

    steady = np.clip(smooth(on_time), 0.0, 1.0)
    clear = np.clip(smooth(contrast) / 0.4, 0.0, 1.0)
    periodic = np.clip((smooth(periodicity) - 0.05) / 0.3, 0.0, 1.0)
    confidence: DoubleArray = np.cbrt(steady * clear * periodic)
    return confidence
