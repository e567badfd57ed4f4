"""The onset envelope is librosa's spectral flux."""

import librosa
import numpy as np
import pytest

import tools.songs.rhythm.onsets
from model.features.power_spectra import band_weights
from tests.support.rhythms import song_of_beats
from tools.songs.rhythm import onsets
from tools.songs.rhythm.onsets import (
    AFTER_STEPS,
    ATTACK_RATE_HZ,
    ATTACK_STEP,
    BEFORE_STEPS,
    ENVELOPE_HOP,
    ENVELOPE_WINDOW,
    FLUX_LAG,
    LOW_MEL_BANDS,
    RHYTHM_MEL_BANDS,
    RHYTHM_RATE_HZ,
    find_attacks,
    mel_powers,
    spectral_flux,
)


def test_the_bands_are_those_of_librosa() -> None:
    filters = librosa.filters.mel(sr=RHYTHM_RATE_HZ, n_fft=ENVELOPE_WINDOW, n_mels=RHYTHM_MEL_BANDS)
    expected, found = band_weights(filters.T), onsets._mel_bands()
    assert np.array_equal(found.first, expected.first) and np.array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-6)


def test_the_flux_is_what_librosa_finds() -> None:
    beats_s = np.arange(0.2, 8.0, 0.5).tolist()
    mono = song_of_beats(beats_s, 8.0, beats_per_bar=4, rate_hz=RHYTHM_RATE_HZ)[:, 0].copy()
    mel = librosa.feature.melspectrogram(
        y=mono, sr=RHYTHM_RATE_HZ, n_fft=ENVELOPE_WINDOW, hop_length=ENVELOPE_HOP, n_mels=RHYTHM_MEL_BANDS
    )
    ours = mel_powers(mono)
    np.testing.assert_allclose(ours.T, mel, rtol=1e-3, atol=1e-6 * mel.max())
    reference = float(np.median(mel.max(axis=0)))
    expected = librosa.onset.onset_strength_multi(
        S=librosa.power_to_db(mel, ref=reference, amin=1e-8 * reference, top_db=None),
        sr=RHYTHM_RATE_HZ,
        hop_length=ENVELOPE_HOP,
        lag=FLUX_LAG,
        max_size=3,
        channels=[0, LOW_MEL_BANDS, RHYTHM_MEL_BANDS],
        center=False,
    )
    np.testing.assert_allclose(spectral_flux(ours, reference), expected, atol=1e-3 * expected.max())
    assert expected.max() > 1


@pytest.mark.parametrize("part_steps", [1 << 19, 301])
def test_attacks_rise_as_the_audio_and_its_differences_do(
    part_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.songs.rhythm.onsets, "PART_STEPS", part_steps)
    mono = song_of_beats([0.3, 0.7, 1.1], 1.5, beats_per_bar=4, rate_hz=RHYTHM_RATE_HZ)[:, 0].copy()
    steps, band = len(mono) // ATTACK_STEP, mono.astype(np.float64)
    expected = np.zeros(steps)
    for _ in range(3):
        energy = np.square(band[: steps * ATTACK_STEP]).reshape(steps, -1).sum(axis=1)
        floor = 1e-4 * np.percentile(energy, 95) + 1e-9
        around = np.pad(energy, (BEFORE_STEPS, AFTER_STEPS))
        for step in range(steps):
            before = around[step : step + BEFORE_STEPS].mean()
            after = around[step + BEFORE_STEPS :][:AFTER_STEPS].mean()
            expected[step] += max(0.0, np.log10((after + floor) / (before + floor)))
        band = np.diff(band, prepend=band[0])
    attacks = find_attacks(mono)
    np.testing.assert_allclose(attacks.rise, expected, atol=1e-5 * expected.max())
    starts_s, stops_s = np.array([0.0, 0.25, 0.6, 1.4, 3.0]), np.array([0.2, 0.35, 0.6, 2.0, 3.1])
    for (time_s, rise), start_s, stop_s in zip(
        attacks.between(starts_s, stops_s), starts_s, stops_s, strict=True
    ):
        first = round(start_s * ATTACK_RATE_HZ)
        part = attacks.rise[first : max(first + 1, round(stop_s * ATTACK_RATE_HZ))]
        assert rise == (part.max() if len(part) else 0.0)
        assert time_s == ((first + part.argmax()) / ATTACK_RATE_HZ if len(part) else start_s)
