"""This module decides which of the tempi that a song may be counted in is its beat.

A tempo that periodicity alone finds is often that of another count of the same notes: two thirds or three
quarters of the beat. So the beats of every related tempo are tracked, and those half way between them; that
count is chosen whose beats stand out of all other places.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from model.base.arrays import DoubleArray, FloatArray
from tools.songs.rhythm.chroma import CHROMA_RATE_HZ
from tools.songs.rhythm.onsets import ENVELOPE_RATE_HZ, Onsets
from tools.songs.rhythm.tempo import PRIOR_BPM, PRIOR_OCTAVES, STEP_S, TempoPath

RATIOS = (1.0, 1 / 2, 2.0, 1 / 3, 3.0, 2 / 3, 3 / 2, 3 / 4, 4 / 3, 2 / 5, 5 / 2)
"""Tempi that a song may be counted in, in tempi of the path that was found."""
LEAST_BPM, MOST_BPM = 58.0, 206.0
FEWEST_BEATS = 16
SLOTS = 12
"""Places of a beat that are looked at: its halves, thirds and quarters are among them."""
_OFF_BEATS = slice(2, SLOTS - 1)
"""Slots that are no part of the beat's own attack."""
SIMPLE, COMPOUND = (3, 6, 9), (4, 8)
"""Slots where notes are expected when beats fall into halves and quarters, and into thirds."""
BAR_LAGS = (1, 2, 3, 4, 5, 7)
"""A bar repeats after so many beats."""
PRESENT_PERCENTILE = 90.0
"""An onset of this rank is surely one, however quiet."""
CHORD_S = 0.4
"""Harmony is compared over so long before and after."""
OCTAVE_TOLERANCE = 0.05
FEATURES = (
    "stands_out", "stands_out_far", "steadily", "every_beat", "repeats", "share", "clean", "fifths",
    "present", "absent", "periodic", "harmony", "usual", "found",
)  # fmt: skip
WEIGHTS = (0.44, 1.48, 0.67, 0.78, 1.44, 0.34, 0.33, -0.05, 3.07, -9.37, 2.83, 0.35, -0.48, 0.76)
"""Fitted so that the right counts, whatever their octave, get most of the odds (`docs/evaluation.md`)."""
USUAL = FEATURES.index("usual")
USUAL_WEIGHT = 8.0
"""What the usual tempo counts for among octaves of one count."""
OCTAVE_REACH = 3.0
"""An octave whose odds are worse by this many nats was not tracked well."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Count:
    """One way to count a song.

    times_s: `(beats,)` float64, to the frame. bpm: its usual tempo. features: `(FEATURES,)` float64.
    """

    times_s: DoubleArray
    bpm: float
    between: bool
    """Whether its beats lie half way between those that were tracked."""
    features: DoubleArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """The beats of a song by its likeliest count.

    certainty: odds of it and its octaves against those of its strongest rival, 0 to 1; 0 without beats.
    """

    times_s: DoubleArray
    certainty: float


def count_beats(
    onsets: Onsets, chroma: FloatArray, path: TempoPath, track: Callable[[DoubleArray], DoubleArray]
) -> Counted:
    """Return the beats of a song's likeliest count; none where it is too short.

    track: gives beats in seconds for a tempo in bpm at every frame of the onsets.
    """
    counts = possible_counts(onsets, chroma, path, track)
    if not counts:
        return Counted(times_s=np.empty(0), certainty=0.0)
    scores = np.array([count.features for count in counts]) @ np.array(WEIGHTS)
    odds = np.exp(scores - scores.max())
    odds /= odds.sum()
    agreeing = np.array([[_same_level(one, other) for other in counts] for one in counts])
    # Any octave is as right; the one is taken that most people would tap.
    best = int(odds.argmax())
    eligible = agreeing[best] & (scores > scores[best] - OCTAVE_REACH)
    usual = scores + USUAL_WEIGHT * np.array([count.features[USUAL] for count in counts])
    taken = int(np.where(eligible, usual, -np.inf).argmax())
    with_it = agreeing[best]
    for_it = float(odds[with_it].sum())
    # A faster count that holds the beats of both, alternate beats that is, speaks against neither.
    against = [
        float(odds[other & ~with_it].sum() - odds[other & with_it].sum()) for other in agreeing[~with_it]
    ]
    certainty = for_it / (for_it + max([0.0, *against]))
    return Counted(times_s=counts[taken].times_s, certainty=certainty)


def _same_level(best: Count, count: Count) -> bool:
    octaves = float(np.log2(count.bpm / best.bpm))
    if abs(octaves - round(octaves)) > OCTAVE_TOLERANCE:
        return False
    # Beats half way between are right in another octave at most.
    return count.between == best.between or round(octaves) != 0


def possible_counts(
    onsets: Onsets, chroma: FloatArray, path: TempoPath, track: Callable[[DoubleArray], DoubleArray]
) -> list[Count]:
    """Return every way to count a song that has enough beats; arguments as for `count_beats`."""
    frames = np.arange(onsets.flux.shape[1])
    bpm = np.interp(frames / ENVELOPE_RATE_HZ, np.arange(len(path.bpm)) * STEP_S, path.bpm)
    usual_bpm = float(np.median(bpm))
    # A little early or late is on time.
    accents, flux = (
        scipy.ndimage.maximum_filter1d(bands, 3, axis=1)
        for bands in (onsets.accents, onsets.flux.sum(axis=0, keepdims=True))
    )
    present = np.minimum(flux / (np.percentile(flux, PRESENT_PERCENTILE) + 1e-6), 1.0)
    change = _chord_changes(chroma)
    counts = []
    for ratio in RATIOS:
        if not LEAST_BPM <= ratio * usual_bpm <= MOST_BPM:
            continue
        tracked_s = track(ratio * bpm)
        between_s = tracked_s[:-1] + 0.5 * np.diff(tracked_s)
        if len(between_s) < FEWEST_BEATS:
            continue
        for times_s in (tracked_s, between_s):
            of_path = (path.periodic_at(times_s, ratio), float(ratio == 1.0))
            counts.append(
                Count(
                    times_s=times_s,
                    bpm=ratio * usual_bpm,
                    between=times_s is between_s,
                    features=_features(times_s, accents, present, change, of_path, ratio * usual_bpm),
                )
            )
    return counts


def _features(
    times_s: DoubleArray,
    accents: FloatArray,
    present: FloatArray,
    change: DoubleArray,
    of_path: tuple[float, float],
    bpm: float,
) -> DoubleArray:
    heights = _heights(times_s, accents, SLOTS)
    total = heights.sum(axis=0)
    profile = total.mean(axis=0)
    little = 0.02 * float(profile.mean()) + 1e-6
    rival = _OFF_BEATS.start + int(profile[_OFF_BEATS].argmax())
    ahead = total[:, 0] - total[:, rival]
    stands_out = float(np.log((profile[0] + little) / (profile[rival] + little)))
    weakest = min(total[first::every, 0].mean() for every in (2, 3) for first in range(every))
    expected = max(profile[list(slots)].mean() for slots in (SIMPLE, COMPOUND, SIMPLE[1:2]))
    fifths = float(_heights(times_s, accents, 5).sum(axis=0).mean(axis=0)[1:].mean())
    there = _heights(times_s, present, SLOTS)[0]
    periodic, found = of_path
    return np.array(
        [
            min(stands_out, 0.5),
            float(np.clip(stands_out, 0.5, 1.5)),
            min(float(ahead.mean() / (ahead.std() + 1e-6)), 1.5),
            max(float(np.log((weakest + little) / (profile[0] + little))), -2.0),
            _repeats(heights),
            float(np.log((profile[0] + little) / (profile.sum() + little))),
            min(float(expected / (profile[_OFF_BEATS].mean() + little)), 3.0),
            float(np.clip(np.log((fifths + little) / (expected + little)), -2.0, 2.0)),
            float(there[:, 0].mean()),
            float(there[:, _OFF_BEATS].mean()),
            periodic,
            _harmony(times_s, change),
            -0.5 * float(np.log2(bpm / PRIOR_BPM) / PRIOR_OCTAVES) ** 2,
            found,
        ]
    )


def _heights(times_s: DoubleArray, accents: FloatArray, slots: int) -> DoubleArray:
    """Return `(bands, beats, slots)`: the accents at each place of each beat."""
    periods_s = np.diff(times_s)
    periods_s = np.append(periods_s, periods_s[-1:])
    places = (times_s[:, None] + periods_s[:, None] * np.arange(slots) / slots) * ENVELOPE_RATE_HZ
    nearest = np.clip(np.rint(places).astype(np.int64), 0, accents.shape[1] - 1)
    return accents[:, nearest].astype(np.float64)


def _repeats(heights: DoubleArray) -> float:
    """Return how alike beats are that lie a bar apart, for the best length of a bar; a correlation."""
    beats = np.sqrt(heights.transpose(1, 0, 2).reshape(heights.shape[1], -1))
    beats -= beats.mean(axis=0)
    beats /= np.linalg.norm(beats, axis=1, keepdims=True) + 1e-9
    return max(
        float((beats[:-lag] * beats[lag:]).sum(axis=1).mean()) for lag in BAR_LAGS if len(beats) > lag + 4
    )


def _chord_changes(chroma: FloatArray) -> DoubleArray:
    """Return `(frames,)`: how far the harmony after each frame of the chroma is from that before it."""
    size = round(CHORD_S * CHROMA_RATE_HZ)
    total = np.concatenate([np.zeros((12, 1)), np.cumsum(np.sqrt(chroma), axis=1)], axis=1)
    frames = np.arange(chroma.shape[1])
    before = total[:, frames] - total[:, np.maximum(frames - size, 0)]
    after = total[:, np.minimum(frames + size, len(frames))] - total[:, frames]
    lengths = np.linalg.norm(before, axis=0) * np.linalg.norm(after, axis=0)
    change = 1.0 - (before * after).sum(axis=0) / (lengths + 1e-9)
    change[lengths < 1e-9] = 0.0
    levelled: DoubleArray = change / (change.std() + 1e-9)
    return levelled


def _harmony(times_s: DoubleArray, change: DoubleArray) -> float:
    """Return by how much more the harmony changes on beats than between them, in standard deviations."""
    between_s = times_s[:-1] + 0.5 * np.diff(times_s)
    on, off = (
        change[np.clip(np.rint(places_s * CHROMA_RATE_HZ).astype(np.int64), 0, len(change) - 1)].mean()
        for places_s in (times_s, between_s)
    )
    return float(on - off)
