"""The harmony of a song has the key that it was made in, and the tuning that librosa finds."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.audio.decode import decode
from tools.songs.rhythm.chroma import (
    CHROMA_HOP,
    CHROMA_WINDOW,
    KEY_MARGIN,
    MAJOR,
    MINOR,
    chroma_frames,
    find_key,
    find_tuning,
    unit_chroma,
)
from tools.songs.rhythm.onsets import RHYTHM_RATE_HZ


def chord(semitones: list[float], seconds: float = 4.0) -> FloatArray:
    """Tones that many semitones above A = 220 Hz, with three partials each."""
    times_s = np.arange(round(seconds * RHYTHM_RATE_HZ)) / RHYTHM_RATE_HZ
    tones = [
        np.sin(2 * np.pi * 220.0 * 2 ** (semitone / 12) * partial * times_s) / partial
        for semitone in semitones
        for partial in (1, 2, 3)
    ]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)


@pytest.mark.parametrize("cents", [-40, -15, 0, 7, 30])
def test_the_tuning_of_a_chord_is_what_librosa_finds(cents: int) -> None:
    mono = chord([semitone + cents / 100 for semitone in (0, 3, 7, 12)])
    tuning = find_tuning(mono)
    assert tuning == pytest.approx(cents / 100, abs=0.045)  # third partials lie 2 cents high
    assert tuning == pytest.approx(librosa.estimate_tuning(y=mono, sr=RHYTHM_RATE_HZ), abs=0.011)


def test_the_tuning_of_music_is_what_librosa_finds(shared_music: Path) -> None:
    songs = [path for path in sorted((shared_music / "library").rglob("*")) if path.is_file()]
    for path in songs[::13]:
        audio, sample_rate_hz = decode(path)
        mono = librosa.resample(
            audio[: 30 * sample_rate_hz, 0], orig_sr=sample_rate_hz, target_sr=RHYTHM_RATE_HZ
        )
        assert find_tuning(mono) == pytest.approx(
            librosa.estimate_tuning(y=mono, sr=RHYTHM_RATE_HZ), abs=0.011
        )


def test_a_click_in_silence_does_not_change_the_tuning_of_the_song_around_it() -> None:
    tones = chord([semitone + 0.3 for semitone in (0, 3, 7, 12)])
    click = (np.arange(2 * RHYTHM_RATE_HZ) % 700 == 0).astype(np.float32)
    assert find_tuning(np.concatenate([tones, click])) == pytest.approx(0.3, abs=0.045)


@pytest.mark.parametrize("mono", [np.zeros(RHYTHM_RATE_HZ, np.float32), np.ones(RHYTHM_RATE_HZ, np.float32)])
def test_what_has_no_tone_has_no_tuning(mono: FloatArray) -> None:
    assert find_tuning(mono) == 0.0


def test_the_key_of_a_cadence() -> None:
    # A minor, F, G, A minor
    cadence = np.concatenate([chord(tones) for tones in ([0, 3, 7], [-4, 0, 3], [-2, 2, 5], [0, 3, 7])])
    key, confidence = find_key(unit_chroma(chroma_frames(cadence)))
    assert key == 12 + 9
    assert confidence > 0


def test_the_chroma_is_what_librosa_finds() -> None:
    mono = chord([0.1, 4.1, 7.1])
    power = np.abs(librosa.stft(mono, n_fft=CHROMA_WINDOW, hop_length=CHROMA_HOP)) ** 2
    expected = (
        librosa.filters.chroma(sr=RHYTHM_RATE_HZ, n_fft=CHROMA_WINDOW, tuning=find_tuning(mono)) @ power
    )
    np.testing.assert_allclose(chroma_frames(mono), expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_the_key_is_the_profile_that_correlates_best() -> None:
    profiles = np.stack([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    for seed in range(20):
        chroma = np.random.default_rng(seed).uniform(0, 1, 12).astype(np.float32)
        fit = np.corrcoef(np.vstack([chroma, profiles]))[0, 1:]
        key, confidence = find_key(chroma)
        first, second = np.sort(fit)[::-1][:2]
        assert key == fit.argmax()
        assert confidence == pytest.approx(first * min(1.0, (first - second) / KEY_MARGIN), abs=1e-6)
