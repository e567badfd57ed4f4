"""This module finds a song's harmony, its chroma over time and the key of a stretch of it."""

from functools import cache
from math import ceil

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from stream.audio.samples import SongSamples, in_parts
from tools.songs.rhythm.onsets import RHYTHM_RATE_HZ
from tools.songs.rhythm.spectrogram import power_spectrogram

CHROMA_HOP = 1_024
CHROMA_RATE_HZ = RHYTHM_RATE_HZ / CHROMA_HOP
CHROMA_WINDOW = 4_096
_BLOCK_FRAMES = 1 << 9
_BLOCK_MARGIN = CHROMA_WINDOW // CHROMA_HOP
TUNED_S = 60.0
"""The tuning is taken from so much of the middle of a song."""
TUNING_WINDOW = 2_048
TUNING_LOW_HZ, TUNING_HIGH_HZ = 150.0, 4_000.0
TUNING_PEAK = 0.1
"""Peaks lower than this part of the highest of their moment say nothing about the tuning."""
FLAT = 0.12
"""Chroma whose values differ by less than this part of their mean (standard deviation) holds no tones."""
KEY_MARGIN = 0.15
"""A key that fits better than the next one by this much correlation is certain."""
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""How well each pitch class fits a key on C (Krumhansl and Kessler, 1982)."""


def chroma_frames(mono: SongSamples) -> FloatArray:
    """Return `(12, frames)` float32 energy of the pitch classes from C, frame i centred on `i * CHROMA_HOP`.

    mono: `(samples,)` at `RHYTHM_RATE_HZ`.
    """
    frames = 1 + len(mono) // CHROMA_HOP
    chroma = np.zeros((12, frames), dtype=np.float32)
    if len(mono) < CHROMA_WINDOW or not any(part.any() for part in in_parts(mono)):
        return chroma
    middle, reach = len(mono) // 2, round(TUNED_S * RHYTHM_RATE_HZ / 2)
    tuning = find_tuning(mono[max(0, middle - reach) : middle + reach])
    filters = _pitch_classes(tuning)
    for start in range(0, frames, _BLOCK_FRAMES):
        first = max(0, start - _BLOCK_MARGIN)
        stop = min(frames, start + _BLOCK_FRAMES)
        part = mono[first * CHROMA_HOP : (stop + _BLOCK_MARGIN) * CHROMA_HOP]
        powers = power_spectrogram(part, CHROMA_WINDOW, CHROMA_HOP)[start - first : stop - first]
        chroma[:, start:stop] = filters @ powers.T
    return chroma


def _pitch_classes(tuning: float) -> FloatArray:
    """Return `(12, bins)`: how much of each bin's power counts for each pitch class from C.

    Each bin is a Gaussian bump around its pitch, of length 1, and counts less the farther it is from A5
    (Ellis, 2007; as `librosa.filters.chroma`, which imports what numba compiles for long).
    """
    hz = np.arange(1, CHROMA_WINDOW) * (RHYTHM_RATE_HZ / CHROMA_WINDOW)
    pitches = 12 * np.log2(hz / (440.0 * 2 ** (tuning / 12))) + 57  # from C0
    pitches = np.concatenate([[pitches[0] - 18], pitches])[: 2 + CHROMA_WINDOW // 2]
    widths = np.maximum(np.diff(pitches), 1.0)
    pitches = pitches[:-1]
    distances = (pitches - np.arange(12)[:, None] + 6) % 12 - 6
    bumps = np.exp(-2 * (distances / widths) ** 2)
    octaves = (pitches - 69) / 12
    weights: FloatArray = bumps / np.linalg.norm(bumps, axis=0) * np.exp(-(octaves**2) / 8)
    return weights.astype(np.float32)


def find_tuning(mono: FloatArray) -> float:
    """Return how far the tones of `mono` `(samples,)` at `RHYTHM_RATE_HZ` lie from A = 440 Hz, in semitones.

    It is -.5 to .49: the commonest deviation of the louder spectral peaks, as `librosa.estimate_tuning` has
    it; 0 without any.
    """
    powers = power_spectrogram(mono, TUNING_WINDOW, TUNING_WINDOW // 4)
    bin_hz = RHYTHM_RATE_HZ / TUNING_WINDOW
    low, high = ceil(TUNING_LOW_HZ / bin_hz), ceil(TUNING_HIGH_HZ / bin_hz)
    below, here, above = (powers[:, low + step : high + step] for step in (-1, 0, 1))
    least = np.float32(TUNING_PEAK**2) * powers.max(axis=1, keepdims=True)
    peaks = np.flatnonzero((here > below) & (here >= above) & (here > least))
    if not len(peaks):
        return 0.0
    rows, lines = np.divmod(peaks, high - low)
    below, here, above = (np.sqrt(powers[rows, lines + low + step]) for step in (-1, 0, 1))
    # A parabola through each peak and its neighbours; their roots may be equal where they themselves are not.
    slope, bend = (above - below) / 2, 2 * here - below - above
    shift = np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)
    height = here + slope * shift / 2
    hz = (low + lines + shift)[height >= np.median(height)] * bin_hz
    deviation = (12 * np.log2(hz / 440.0) + 0.5) % 1.0 - 0.5
    counts, edges = np.histogram(deviation, bins=100, range=(-0.5, 0.5))
    return float(edges[np.argmax(counts)])


def unit_chroma(chroma: FloatArray) -> FloatArray:
    """Return `(12,)` float32: the sum of frames `(12, n)`, of length 1; zeros where nothing is tonal."""
    # Loud frames must not drown out the others: amplitude rather than energy.
    total = np.sqrt(chroma).sum(axis=1)
    if not total.any() or total.std() < FLAT * total.mean():
        return np.zeros(12, dtype=np.float32)
    unit: FloatArray = (total / np.linalg.norm(total)).astype(np.float32)
    return unit


def find_key(chroma: FloatArray) -> tuple[int, float]:
    """Return the key of `unit_chroma` `(12,)`, 0 to 11 major and 12 to 23 minor from C, and its confidence.

    The best correlation with the profiles of Krumhansl and Kessler; -1 and 0 where nothing is tonal.
    """
    if not chroma.any():
        return -1, 0.0
    apart = chroma.astype(np.float64) - chroma.mean(dtype=np.float64)
    fit: DoubleArray = _key_profiles() @ apart / np.linalg.norm(apart)
    first, second = np.argsort(fit)[::-1][:2]
    if not fit[first] > 0:
        return -1, 0.0
    return int(first), float(fit[first] * min(1.0, (fit[first] - fit[second]) / KEY_MARGIN))


@cache
def _key_profiles() -> DoubleArray:
    """Return the profiles of the 24 keys, `(24, 12)`, of mean 0 and length 1."""
    profiles = np.stack([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    apart = profiles - profiles.mean(axis=1, keepdims=True)
    unit: DoubleArray = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    return unit
