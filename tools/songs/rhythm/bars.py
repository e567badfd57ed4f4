"""This module finds a song's bars, how many beats each has, and which beats begin one."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from tools.songs.rhythm.beats import Beats
from tools.songs.rhythm.chroma import CHROMA_RATE_HZ
from tools.songs.rhythm.onsets import ENVELOPE_RATE_HZ, Onsets

METRES = (3, 4, 5, 7)
PRIORS = {3: 0.0, 4: 0.08, 5: -0.03, 7: -0.06}
"""In units of similarity: most music is in four."""
SUB_BEATS = 4
"""A beat's rhythm is read at its quarters."""
CHORD_WEIGHT, _LOW_WEIGHT, HIGH_WEIGHT = 1.0, 0.25, -0.35
"""Downbeats are where harmony changes and low notes begin; snares and strummed chords are on the others."""
SLIP_COST = 8.0
"""What a bar of another length costs, in standard deviations of a downbeat's evidence."""
SURE = 6.0
"""A downbeat that stands out by so many standard errors is certain."""
SURE_METRE = 0.06
"""So is a metre whose bars resemble each other by so much more than those of any other."""
LEAST_MARGIN = 0.01
"""With less than this between the two best metres it is four, without any confidence."""
FEWEST_BARS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Bars:
    """Bars over the beats of a song.

    position: `(beats,)` int64, 0 on a downbeat, then 1, 2, ...; evidence: `(beats,)` float64, how much each
    beat looks like a downbeat, in standard deviations.
    """

    beats_per_bar: int
    """0 where it is unknown."""
    confidence: float
    """0 to 1."""
    standing_out: float
    """How far downbeats look more like one than the other beats do, in standard errors."""
    position: IntArray
    evidence: DoubleArray


def find_bars(beats: Beats, onsets: Onsets, chroma: FloatArray) -> Bars:
    """Return the bars over `beats` by the song's onsets and `chroma_frames`.

    The metre is the number of beats after which rhythm and harmony repeat best; the downbeats are the path
    through the positions of a bar that gathers the most evidence, where a bar may for a price be cut short.
    """
    count = len(beats)
    if count < FEWEST_BARS * METRES[1]:
        return Bars(
            beats_per_bar=0,
            confidence=0.0,
            standing_out=0.0,
            position=np.zeros(count, dtype=np.int64),
            evidence=np.zeros(count),
        )
    rhythm = _rhythm(beats.times_s, onsets.flux)
    chords = _chords(beats.times_s, chroma)
    evidence = _evidence(rhythm, chords)
    metre, metre_confidence = _metre(rhythm, chords)
    position = _positions(evidence, metre, SLIP_COST)
    standing_out = _standing_out(evidence, position, metre)
    return Bars(
        beats_per_bar=metre,
        confidence=metre_confidence * float(np.clip(standing_out / SURE, 0.0, 1.0)),
        standing_out=standing_out,
        position=position,
        evidence=evidence,
    )


def _rhythm(times_s: DoubleArray, bands: FloatArray) -> DoubleArray:
    """Return `(beats, 2 * SUB_BEATS)`: onset strength, low and all, at the quarters of each beat."""
    periods = np.diff(times_s)
    periods = np.append(periods, periods[-1:])
    frames = np.arange(bands.shape[1])
    values = []
    for band in bands:
        for part in range(SUB_BEATS):
            middle = (times_s + part / SUB_BEATS * periods) * ENVELOPE_RATE_HZ
            values.append(
                np.max([np.interp(middle + shift, frames, band) for shift in (-1, 0, 1, 2)], axis=0)
            )
    return np.stack(values, axis=1)


def _chords(times_s: DoubleArray, chroma: FloatArray) -> DoubleArray:
    """Return `(beats, 12)`: chroma of each beat, of length 1."""
    total = np.concatenate([np.zeros((12, 1)), np.cumsum(np.sqrt(chroma), axis=1)], axis=1)
    bounds = np.append(times_s, 2 * times_s[-1] - times_s[-2]) * CHROMA_RATE_HZ
    index = np.clip(np.rint(bounds).astype(np.int64), 0, chroma.shape[1])
    sums = (total[:, index[1:]] - total[:, index[:-1]]).T
    unit: DoubleArray = sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9)
    return unit


def _evidence(rhythm: DoubleArray, chords: DoubleArray) -> DoubleArray:
    # Two beats on either side: one alone is as often a passing note.
    before = chords + np.roll(chords, 1, axis=0)
    after = chords + np.roll(chords, -1, axis=0)
    before = np.roll(before, 1, axis=0)
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1) + 1e-9
    change = 1.0 - (before * after).sum(axis=1) / lengths
    change[:2] = change[-2:] = np.median(change)
    low, high = rhythm[:, 0], rhythm[:, SUB_BEATS]
    evidence = CHORD_WEIGHT * _standard(change) + _LOW_WEIGHT * _standard(low) + HIGH_WEIGHT * _standard(high)
    return _standard(evidence)


def _standard(values: DoubleArray) -> DoubleArray:
    standard: DoubleArray = (values - values.mean()) / (values.std() + 1e-9)
    return np.clip(standard, -3.0, 3.0)


def _metre(rhythm: DoubleArray, chords: DoubleArray) -> tuple[int, float]:
    # In a short song the long metres do not come round often enough to be told.
    metres = [metre for metre in METRES if len(rhythm) >= FEWEST_BARS * metre]
    centred = rhythm - rhythm.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-9
    tones = chords - chords.mean(axis=0)
    tones /= np.linalg.norm(tones, axis=1, keepdims=True) + 1e-9
    features = np.concatenate([centred, 0.7 * tones], axis=1) / np.sqrt(1.49)

    def alike(lag: int) -> float:
        return float((features[:-lag] * features[lag:]).sum(axis=1).mean())

    scores = np.array([0.6 * alike(metre) + 0.4 * alike(2 * metre) + PRIORS[metre] for metre in metres])
    best = int(scores.argmax())
    margin = scores[best] - np.delete(scores, best).max()
    if margin < LEAST_MARGIN:
        return 4, 0.0
    return metres[best], float(np.clip(margin / SURE_METRE, 0.0, 1.0))


@kernel
def _positions(evidence: DoubleArray, metre: int, slip_cost: float) -> IntArray:
    """Return `(beats,)`: the place of each beat in its bar, along the best path."""
    count = len(evidence)
    score = np.zeros(metre)
    score[0] = evidence[0]
    before = np.zeros((count, metre), dtype=np.int64)
    for beat in range(1, count):
        ahead = np.empty(metre)
        for place in range(metre):
            origin = (place - 1) % metre
            value = score[origin]
            if place == 0:
                # A bar may end early.
                for short in range(metre - 1):
                    if score[short] - slip_cost > value:
                        origin, value = short, score[short] - slip_cost
            before[beat, place] = origin
            ahead[place] = value + (evidence[beat] if place == 0 else 0.0)
        score = ahead
    position = np.empty(count, dtype=np.int64)
    position[-1] = score.argmax()
    for beat in range(count - 1, 0, -1):
        position[beat - 1] = before[beat, position[beat]]
    return position


def _standing_out(evidence: DoubleArray, position: IntArray, metre: int) -> float:
    means = np.array([evidence[position == place].mean() for place in range(metre)])
    error = evidence.std() * np.sqrt(2.0 * metre / len(evidence))
    return float((means[0] - means[1:].max()) / error)
