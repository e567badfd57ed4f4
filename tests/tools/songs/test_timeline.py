"""The bands of a timeline are those of a plain transform of each channel."""

import numpy as np
import pytest

from stream.pool.timeline import BAND_EDGES_HZ, BANDS_STEP_S
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.timeline import song_timeline
from tools.songs.voice.singing import VoiceCurve


@pytest.mark.parametrize("rate_hz", [8_000, 11_050])
def test_bands_are_the_powers_of_both_channels(rate_hz: int) -> None:
    step = round(BANDS_STEP_S * rate_hz)
    audio = np.random.default_rng(rate_hz).normal(0, 0.1, (17 * step + 9, 2)).astype(np.float32)
    audio[:, 1] *= np.linspace(0, 1, len(audio), dtype=np.float32)
    voice = VoiceCurve(likely=np.zeros(0, dtype=np.float32))
    found = song_timeline(audio, rate_hz, [(0, find_rhythm(audio, rate_hz))], voice).bands_db
    assert found.shape == (17, 3) and found.dtype == np.float32
    edges = np.round(np.array([*BAND_EDGES_HZ, rate_hz]) * step / rate_hz).astype(int)
    for number, levels_db in enumerate(found):
        part = audio[number * step : (number + 1) * step].astype(np.float64)
        power = np.square(np.abs(np.fft.rfft(part * np.hanning(step + 2)[1:-1, None], axis=0))).sum(axis=1)
        bands = [power[first + 1 : stop + 1].sum() for first, stop in zip([0, *edges], edges, strict=False)]
        expected = 10 * np.log10(np.array(bands) * 2 / (0.375 * step**2))
        np.testing.assert_allclose(levels_db, expected, atol=1e-3)
