"""This helper makes a voice, a buzz with vibrato through the formants of changing vowels."""

import numpy as np
import scipy.signal

from model.base.arrays import FloatArray

SUNG_RATE_HZ = 22_050
_VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""First three formants (Peterson and Barney, Control methods used in a study of the vowels, 1952)."""
_SYLLABLE = SUNG_RATE_HZ // 4
_BLEND = 200


def sung(seconds: float, seed: int = 0) -> FloatArray:
    """Return `(frames, 2)` float32: a melody on syllables, most with a hiss before the vowel."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * SUNG_RATE_HZ)
    times_s = np.arange(frames) / SUNG_RATE_HZ
    notes_hz = rng.choice([196.0, 220.0, 247.0, 262.0, 294.0], frames // (2 * _SYLLABLE) + 1)
    steps_hz = np.repeat(notes_hz, 2 * _SYLLABLE)[:frames]
    glides_hz = steps_hz[0] + scipy.signal.lfilter([0.001], [1, -0.999], steps_hz - steps_hz[0])
    phase = (
        2 * np.pi * np.cumsum(glides_hz * 2 ** (0.4 * np.sin(2 * np.pi * 5.5 * times_s) / 12)) / SUNG_RATE_HZ
    )
    buzz = sum(np.sin(number * phase) / number for number in range(1, 40))
    heard = np.zeros(frames + _BLEND)
    hiss = scipy.signal.butter(2, [3_000, 8_000], "band", fs=SUNG_RATE_HZ)
    for start in range(0, frames, _SYLLABLE):
        part = buzz[start : start + _SYLLABLE + _BLEND]
        vowel = _VOWELS_HZ[rng.integers(len(_VOWELS_HZ))]
        voiced = np.zeros(len(part))
        for formant_hz, level in zip(vowel, (1.0, 0.6, 0.3), strict=True):
            filters = scipy.signal.iirpeak(formant_hz, formant_hz / 90, fs=SUNG_RATE_HZ)
            voiced += level * scipy.signal.lfilter(*filters, part)
        if rng.random() < 0.6:
            long = round(0.06 * SUNG_RATE_HZ)
            voiced[:long] *= 0.1
            voiced[:long] += 0.15 * scipy.signal.lfilter(*hiss, rng.normal(0, 1, long))[: len(part)]
        edge = np.minimum(1.0, np.minimum(np.arange(len(part)), np.arange(len(part))[::-1]) / _BLEND)
        heard[start : start + len(part)] += voiced * edge
    mono = 0.5 * heard[:frames] / np.abs(heard).max()
    return np.stack([mono, mono], axis=1).astype(np.float32)
