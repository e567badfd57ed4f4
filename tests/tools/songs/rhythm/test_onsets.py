"""The onset envelope is librosa's spectral flux."""

import librosa
import numpy as np

from tests.support.rhythms import song_of_beats
from tools.songs.rhythm.onsets import (
    ENVELOPE_HOP,
    ENVELOPE_WINDOW,
    FLUX_LAG,
    LOW_MEL_BANDS,
    RHYTHM_MEL_BANDS,
    RHYTHM_RATE_HZ,
    mel_powers,
    spectral_flux,
)


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
