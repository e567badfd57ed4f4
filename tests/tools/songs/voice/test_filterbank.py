"""The frames that the voice network sees are those of its recipe, in double precision."""

import numpy as np

from model.base.arrays import DoubleArray
from tools.songs.voice.filterbank import VOICE_HOP_SAMPLES, voice_frames


def _mel(hz: DoubleArray) -> DoubleArray:
    found: DoubleArray = 1_127 * np.log(1 + hz / 700)
    return found


def test_frames_are_log_mel_powers_of_emphasised_windows() -> None:
    rng = np.random.default_rng(1)
    mono = (rng.normal(0, 0.05, 2_000) + 0.1).astype(np.float32)
    found = voice_frames(mono, 4)
    assert found.shape == (4, 80) and found.dtype == np.float32
    corners = np.linspace(_mel(np.array(20.0)), _mel(np.array(8_000.0)), 82)
    lines = _mel(np.arange(256) * 16_000 / 512)
    padded = np.pad(mono.astype(np.float64) * 32_768, (0, 1_000))
    for number, frame in enumerate(found):
        samples = padded[number * VOICE_HOP_SAMPLES :][:400]
        samples = samples - samples.mean()
        lifted = samples - 0.97 * np.concatenate([samples[:1], samples[:-1]])
        powers = np.abs(np.fft.rfft(lifted * np.hanning(400) ** 0.85, 512)[:256]) ** 2
        for band in range(80):
            left, top, right = corners[band : band + 3]
            triangle = np.minimum((lines - left) / (top - left), (right - lines) / (right - top))
            assert abs(frame[band] - np.log(max(powers @ np.maximum(triangle, 0), 1e-20))) < 2e-3
