"""This helper makes songs of drums and chords whose beats and bars are known."""

from collections.abc import Sequence

import numpy as np

from model.base.arrays import FloatArray

RATE_HZ = 22_050
PITCHES_HZ = (220.0, 277.2, 329.6, 370.0, 196.0, 246.9)


def song_of_beats(
    beats_s: Sequence[float], seconds: float, *, beats_per_bar: int, rate_hz: int = RATE_HZ
) -> FloatArray:
    """A kick on every downbeat, a tick on the other beats, a new chord with every bar; `(frames, 2)`."""
    rng = np.random.default_rng(0)
    audio = rng.normal(0.0, 0.0045, round(seconds * rate_hz))
    inside = [beat_s for beat_s in beats_s if beat_s < seconds - 0.1]
    for number, beat_s in enumerate(inside):
        first = round(beat_s * rate_hz)
        times_s = np.arange(min(round(0.09 * rate_hz), len(audio) - first)) / rate_hz
        tone_hz = 140.0 if number % beats_per_bar == 0 else 1_000.0
        audio[first : first + len(times_s)] += (
            0.5 * np.exp(-times_s / 0.014) * np.sin(2 * np.pi * tone_hz * times_s)
        )
    for bar, number in enumerate(range(0, len(inside) - beats_per_bar, beats_per_bar)):
        first, last = (round(inside[index] * rate_hz) for index in (number, number + beats_per_bar))
        times_s = np.arange(last - first) / rate_hz
        pitch_hz = PITCHES_HZ[bar * 5 % len(PITCHES_HZ)]
        for harmonic in (1.0, 1.5):
            audio[first:last] += 0.1 * np.sin(2 * np.pi * harmonic * pitch_hz * times_s)
    return np.stack([audio, audio], axis=1).astype(np.float32)
