"""This module finds a song's beats at the start of their attacks, and how sure it is of a beat at all."""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from tools.songs.rhythm.onsets import ENVELOPE_RATE_HZ, Attacks
from tools.songs.rhythm.tempo import FASTEST_BPM, SLOWEST_BPM, STEP_S, tempo_path

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
_LOW_WEIGHT = 2.0
"""What tells a beat from the half between two: kick and bass rather than hi-hats and chords."""
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


def track_beats(bands: FloatArray, attacks: Attacks) -> tuple[Beats, Beats]:
    """Return the beats of a song by its `onset_envelope` and `find_attacks`, and those half a beat later.

    bands: `(2, frames)`. Which of the two are the beats is not always plain from drums; the first ones have
    the low notes and drums, and the harmony may say otherwise.

    Dynamic programming along a path of tempi, from `SLOWEST_BPM` to `FASTEST_BPM`; then each
    beat moves to the attack near it, where it has one that its neighbours confirm. Confidence is the share of
    beats whose attack is where their neighbours predict it, above what chance gives, times how far beats
    stand out of the places between them.
    """
    envelope = bands.sum(axis=0)
    if len(envelope) < _SHORTEST_S * ENVELOPE_RATE_HZ or not envelope.max() > 0:
        return no_beats(), no_beats()
    bpm, periodicity = tempo_path(envelope)
    steps_s = np.arange(len(bpm)) * STEP_S
    frames_s = np.arange(len(envelope)) / ENVELOPE_RATE_HZ
    rough_s = _rough_beats(envelope, np.interp(frames_s, steps_s, bpm))
    off_s = rough_s[:-1] + 0.5 * np.diff(rough_s)
    periodic = np.interp(frames_s, steps_s, periodicity)
    if np.mean(_drums(off_s, bands)) > np.mean(_drums(rough_s, bands)):
        rough_s, off_s = off_s, rough_s
    return _beats(rough_s, envelope, attacks, periodic), _beats(off_s, envelope, attacks, periodic)


def _beats(rough_s: DoubleArray, envelope: FloatArray, attacks: Attacks, periodic: DoubleArray) -> Beats:
    if len(rough_s) < 2 * NEIGHBOURS:
        return no_beats()
    times_s, on_time = _refined(rough_s, attacks)
    kept = np.append(True, np.diff(times_s) > 30.0 / FASTEST_BPM)
    times_s, on_time = times_s[kept], on_time[kept]
    if len(times_s) < 2 * NEIGHBOURS:
        return no_beats()
    near = np.interp(times_s * ENVELOPE_RATE_HZ, np.arange(len(periodic)), periodic)
    confidence = _confidence(on_time, _contrast(envelope, times_s), near)
    return Beats(
        times_s=times_s,
        tempo_bpm=np.clip(_local_tempo(times_s), 0.9 * SLOWEST_BPM, 1.1 * FASTEST_BPM),
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
    score = strength.copy()
    origin = np.full(frames, -1, dtype=np.int64)
    for frame in range(frames):
        period = periods[frame]
        best, first = -np.inf, max(0, int(frame - 2 * period))
        for before in range(first, int(frame - period / 2) + 1):
            away = np.log((frame - before) / period)
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


def _drums(times_s: DoubleArray, bands: FloatArray) -> DoubleArray:
    return _LOW_WEIGHT * _strength(bands[0], times_s) + _strength(bands[1], times_s)


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
    # On time: with respect to the tracker's own place, which chance would not put near an attack.
    near = attacks.between(predicted - around_s, predicted + around_s)
    on_time = (np.abs(near[:, 0] - predicted) < ON_TIME_S) & (near[:, 1] > 0.25 * SHARP_RISE)
    chance = min(0.9, ON_TIME_S / around_s)
    return times_s, np.clip((on_time - chance) / (1 - chance), -1.0, 1.0)


def _predicted(times_s: DoubleArray, weight: DoubleArray) -> DoubleArray:
    """Return where the weighted line through its neighbours, without itself, puts each beat.

    Three lines are tried, through those before, after and on both sides: across a change of tempo only one
    side fits.
    """
    count = len(times_s)
    best = times_s.copy()
    least = np.full(count, np.inf)
    for before, after in ((NEIGHBOURS, NEIGHBOURS), (2 * NEIGHBOURS, 0), (0, 2 * NEIGHBOURS)):
        offsets = np.array([offset for offset in range(-before, after + 1) if offset != 0])
        index = np.arange(count)[:, None] + offsets
        inside = (index >= 0) & (index < count)
        index = np.clip(index, 0, count - 1)
        values = times_s[index] - times_s[:, None]
        weights = np.where(inside, weight[index], 0.0)
        for _ in range(3):
            total = weights.sum(axis=1) + 1e-12
            mean_x = (weights * offsets).sum(axis=1) / total
            mean_y = (weights * values).sum(axis=1) / total
            apart_x, apart_y = offsets - mean_x[:, None], values - mean_y[:, None]
            slope = (weights * apart_x * apart_y).sum(axis=1) / ((weights * apart_x**2).sum(axis=1) + 1e-12)
            errors = apart_y - slope[:, None] * apart_x
            scale = np.sqrt((weights * errors**2).sum(axis=1) / total) + 1e-3
            weights = np.where(inside, weight[index], 0.0) / (1 + (errors / (2 * scale[:, None])) ** 2)
        enough = inside.sum(axis=1) >= NEIGHBOURS
        # One side alone predicts worse: it must fit clearly better.
        misfit = np.where(enough, scale * (1.0 if before == after else 1.5), np.inf)
        better = misfit < least
        least = np.where(better, misfit, least)
        best = np.where(better, times_s + mean_y - slope * mean_x, best)
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
