"""Beats are found to the millisecond, and none are claimed where there are none."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.arrays import DoubleArray, FloatArray
from tests.support.rhythms import RATE_HZ, song_of_beats
from tools.songs.rhythm.counting import MOST_BPM
from tools.songs.rhythm.onsets import find_attacks
from tools.songs.rhythm.rhythm import CLEAR_BEAT, find_rhythm


def _errors_s(found_s: DoubleArray, beats_s: DoubleArray) -> DoubleArray:
    return np.array([np.abs(found_s - beat_s).min() for beat_s in beats_s])


@pytest.mark.parametrize(("bpm", "folded"), [(120.0, 120.0), (85.0, 85.0), (133.7, 133.7), (200.0, 100.0)])
def test_a_steady_beat_is_found_to_a_few_milliseconds(bpm: float, folded: float) -> None:
    beats_s = np.arange(0.3, 40.0, 60.0 / bpm)
    rhythm = find_rhythm(song_of_beats(beats_s.tolist(), 40.0, beats_per_bar=4), RATE_HZ)
    assert rhythm.clear
    assert float(np.median(rhythm.beats.tempo_bpm)) == pytest.approx(folded, rel=0.005)
    every = round(bpm / folded)
    errors_s = min(
        (_errors_s(rhythm.beats.times_s, beats_s[first::every][2:-3]) for first in range(every)),
        key=lambda errors: float(np.median(errors)),
    )
    assert np.median(errors_s) < 0.002
    assert np.percentile(errors_s, 95) < 0.006


def test_a_change_of_tempo_in_the_middle() -> None:
    beats_s = np.concatenate([np.arange(0.2, 30.0, 0.6), np.arange(30.2, 60.0, 60 / 140)])
    rhythm = find_rhythm(song_of_beats(beats_s.tolist(), 60.0, beats_per_bar=4), RATE_HZ)
    before, after = (rhythm.beats.tempo_bpm[index] for index in (10, -10))
    assert (before, after) == (pytest.approx(100, rel=0.01), pytest.approx(140, rel=0.01))
    assert np.percentile(_errors_s(rhythm.beats.times_s, beats_s[2:-3]), 90) < 0.01


def test_a_tempo_that_drifts_is_followed() -> None:
    beats_s = [0.3]
    while beats_s[-1] < 30.0:
        beats_s.append(beats_s[-1] + 0.45 * (1 + 0.06 * float(np.sin(2 * np.pi * beats_s[-1] / 20.0))))
    rhythm = find_rhythm(song_of_beats(beats_s, 30.0, beats_per_bar=4), RATE_HZ)
    errors_s = _errors_s(rhythm.beats.times_s, np.array(beats_s)[2:-3])
    assert np.median(errors_s) < 0.002
    assert np.percentile(errors_s, 95) < 0.015


def _noise() -> FloatArray:
    return np.random.default_rng(0).normal(0, 0.1, (RATE_HZ * 30, 2)).astype(np.float32)


def _drone() -> FloatArray:
    tone = 0.2 * np.sin(2 * np.pi * 110 * np.arange(RATE_HZ * 30) / RATE_HZ)
    return np.stack([tone, tone], axis=1).astype(np.float32)


def _irregular() -> FloatArray:
    beats_s = np.cumsum(np.random.default_rng(1).uniform(0.2, 0.9, 60))
    return song_of_beats(beats_s.tolist(), 30.0, beats_per_bar=99)


@pytest.mark.parametrize(
    "audio",
    [_noise(), _drone(), _irregular(), np.zeros((RATE_HZ * 30, 2), np.float32), np.zeros((5, 2), np.float32)],
    ids=["noise", "drone", "irregular", "silence", "nothing"],
)
def test_without_a_beat_none_is_claimed(audio: FloatArray) -> None:
    assert find_rhythm(audio, RATE_HZ).beats.song_confidence < CLEAR_BEAT / 2


def test_an_attack_is_where_it_begins() -> None:
    mono = np.random.default_rng(0).normal(0, 0.001, RATE_HZ).astype(np.float32)
    begin = round(0.5 * RATE_HZ)
    mono[begin:] += (0.3 * np.sin(np.arange(RATE_HZ - begin) * 0.3)).astype(np.float32)
    ((instant_s, rise),) = find_attacks(mono).between(np.array([0.4]), np.array([0.6]))
    assert instant_s == pytest.approx(0.5, abs=0.002)
    assert rise > 3


def test_beats_rise_where_one_is_lost(shared_music: Path) -> None:
    """The curve through its neighbours puts the first beat of this song three beats later."""
    song = "library2/house/electronic_soundhelix-jordach_the-evil-sister.ogg"
    audio, sample_rate_hz = soundfile.read(shared_music / song, dtype="float32", always_2d=True)
    beats = find_rhythm(audio, sample_rate_hz).beats
    assert len(beats) > 100
    assert np.diff(beats.times_s).min() >= 30.0 / MOST_BPM
