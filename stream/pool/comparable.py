"""Traits become comparable as octaves of tempo, places on the circle of fifths and levels against songs."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from stream.pool.traits import PITCH_CLASSES

UNHEARD_LUFS = -69.0
"""At and below this loudness there is nothing whose level could jump."""
_SEVENTH_SEMITONES = 7


def tempo_octaves(tempo_bpm: FloatArray) -> FloatArray:
    """Return tempi `(n,)` as octaves above one beat a minute; nan where there is no beat."""
    known = tempo_bpm > 0
    return np.where(known, np.log2(np.where(known, tempo_bpm, 1.0)), np.nan)


def fifths(key: IntArray) -> FloatArray:
    """Return keys `(n,)` as places on the circle of fifths, 0 to 11; nan where a key is unknown, below 0.

    A minor key (12 to 23) stands where its relative major does.
    """
    tonic = np.where(key >= PITCH_CLASSES, key + 3, key) % PITCH_CLASSES
    return np.where(key >= 0, tonic * _SEVENTH_SEMITONES % PITCH_CLASSES, np.nan)


def heard_levels_lu(lufs: FloatArray, song_lufs: FloatArray | DoubleArray) -> FloatArray:
    """Return levels as they are heard, songs being brought to one loudness; nan where nothing is heard."""
    return np.where(lufs > UNHEARD_LUFS, lufs - song_lufs, np.float32(np.nan))
