"""Songs are counted in their beat or an octave of it, and never surely in two thirds or three quarters."""

import numpy as np
import pytest

from model.base.arrays import DoubleArray, FloatArray
from tests.support.rhythms import RATE_HZ
from tools.songs.rhythm.rhythm import CLEAR_BEAT, Rhythm, find_rhythm

SECONDS = 16.0


def _drums(bpm: float, beats_per_bar: int, snares: tuple[int, ...], parts: int, hat: float) -> FloatArray:
    """Kick on downbeats, snares on some beats, hi-hats as loud as given at each part of a beat."""
    rng = np.random.default_rng(3)
    audio = rng.normal(0.0, 1e-3, round(SECONDS * RATE_HZ))
    times_s = np.arange(round(0.2 * RATE_HZ)) / RATE_HZ
    kick = 0.9 * np.sin(2 * np.pi * (45 * times_s + 12 * (1 - np.exp(-times_s * 30)))) * np.exp(-times_s * 18)
    hiss = rng.normal(0.0, 1.0, len(times_s))
    snare, closed = 0.5 * hiss * np.exp(-times_s * 25), hat * hiss * np.exp(-times_s * 80)

    def put(beat: float, sound: DoubleArray) -> None:
        first = round(beat * 60.0 / bpm * RATE_HZ)
        audio[first : first + len(sound)] += sound[: max(0, len(audio) - first)]

    for beat in range(int(SECONDS * bpm / 60.0)):
        if beat % beats_per_bar == 0:
            put(beat, kick)
        if beat % beats_per_bar in snares:
            put(beat, snare)
        for part in range(parts):
            put(beat + part / parts, closed)
    return np.repeat(audio[:, None], 2, axis=1).astype(np.float32)


def _octaves(rhythm: Rhythm, bpm: float) -> float:
    return float(np.log2(np.median(rhythm.beats.tempo_bpm) / bpm))


@pytest.mark.parametrize("bpm", [164.0, 168.0, 171.0])
@pytest.mark.parametrize(("beats_per_bar", "snares"), [(3, (1, 2)), (4, (1, 3)), (5, (1, 2, 4))])
def test_straight_eighths_are_not_counted_in_two_thirds(
    bpm: float, beats_per_bar: int, snares: tuple[int, ...]
) -> None:
    rhythm = find_rhythm(_drums(bpm, beats_per_bar, snares, parts=2, hat=0.15), RATE_HZ)
    octaves = _octaves(rhythm, bpm)
    assert octaves == pytest.approx(round(octaves), abs=0.02)
    assert rhythm.clear


def test_loud_hats_between_them_do_not_become_the_beats() -> None:
    rhythm = find_rhythm(_drums(120.0, 4, (1, 3), parts=2, hat=0.3), RATE_HZ)
    assert _octaves(rhythm, 120.0) == pytest.approx(0.0, abs=0.02)
    off_s = np.abs(rhythm.beats.times_s - 0.5 * np.rint(rhythm.beats.times_s / 0.5))
    assert np.median(off_s) < 0.005


def test_beats_of_three_parts_are_beats() -> None:
    rhythm = find_rhythm(_drums(100.0, 2, (1,), parts=3, hat=0.1), RATE_HZ)
    assert _octaves(rhythm, 100.0) == pytest.approx(0.0, abs=0.02)


def test_where_two_counts_fit_none_is_sure() -> None:
    # Twelve equal hats from kick to kick are six beats of two, four of three, or three of four.
    rhythm = find_rhythm(_drums(160.0, 6, (), parts=2, hat=0.15), RATE_HZ)
    assert rhythm.beats.song_confidence < CLEAR_BEAT
