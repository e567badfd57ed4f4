"""Loudness has BS.1770's values for sines, and true peak is that of sines between the samples."""

import numpy as np
import pyloudnorm
import pytest

import tools.songs.loudness
from model.base.arrays import FloatArray
from tools.songs.loudness import (
    SILENCE_DB,
    SILENCE_LUFS,
    integrated_lufs,
    measure_loudness,
    rms_db,
    true_peak,
)


def _sine(
    frequency_hz: float, amplitude: float, seconds: float, rate_hz: int, phase: float = 0
) -> FloatArray:
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = amplitude * np.sin(2 * np.pi * frequency_hz * times_s + phase)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [32_000, 44_100, 48_000, 96_000])
def test_a_sine_of_997_hz_reads_its_level(rate_hz: int) -> None:
    # BS.1770-4: 0 dBFS in one channel reads -3.01 LKFS, so the same in two channels reads its level in dBFS.
    loudness = measure_loudness(_sine(997, 0.1, 3, rate_hz), rate_hz)
    assert loudness.loudness_lufs == pytest.approx(-20, abs=0.1)
    assert loudness.true_peak_db == pytest.approx(-20, abs=0.02)


def test_quiet_passages_are_gated() -> None:
    loud = _sine(997, 0.1, 10, 48_000)
    faint = _sine(997, 0.0001, 10, 48_000)
    gated = measure_loudness(np.concatenate([loud, faint]), 48_000).loudness_lufs
    assert gated == pytest.approx(-20, abs=0.2)


def test_peaks_between_the_samples_are_found() -> None:
    # A quarter of the rate at 45 degrees: every sample is at 0.707 of the wave's peak.
    wave = _sine(12_000, 0.5, 2, 48_000, phase=np.pi / 4)
    assert np.abs(wave).max() == pytest.approx(0.5 / np.sqrt(2), abs=1e-4)
    assert true_peak(wave, 48_000) == pytest.approx(0.5, rel=0.12)
    assert true_peak(wave[4_000:-4_000], 48_000) >= 0.49


def test_a_single_sample_is_never_lost() -> None:
    audio = np.zeros((200_000, 2), dtype=np.float32)
    audio[150_001, 1] = -0.8
    assert true_peak(audio, 44_100) >= 0.8


@pytest.mark.parametrize("frames", [0, 1, 100, 4_000, 100_000])
def test_silence_of_any_length_has_the_floor(frames: int) -> None:
    loudness = measure_loudness(np.zeros((frames, 2), dtype=np.float32), 44_100)
    assert (loudness.loudness_lufs, loudness.true_peak_db) == (SILENCE_LUFS, SILENCE_DB)


def test_what_is_shorter_than_a_block_reads_about_its_level() -> None:
    short = _sine(1_000, 0.1, 0.1, 48_000)
    assert measure_loudness(short, 48_000).loudness_lufs == pytest.approx(-20, abs=1)


def test_rms_is_that_of_both_channels() -> None:
    audio = np.zeros((1_000, 2), dtype=np.float32)
    audio[:, 0] = 0.5
    assert rms_db(audio) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)))
    assert rms_db(audio[:0]) == SILENCE_DB
    assert rms_db(np.zeros((10, 2), dtype=np.float32)) == SILENCE_DB


def test_the_input_is_left_alone() -> None:
    audio = _sine(500, 0.3, 1, 44_100)
    before = audio.copy()
    measure_loudness(audio, 44_100)
    assert np.array_equal(audio, before)


def test_loudness_does_not_depend_on_the_parts_it_is_measured_in(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    audio = (rng.normal(0, 0.1, (44_100 * 7, 2)) * np.linspace(0.01, 1, 44_100 * 7)[:, None]).astype(
        np.float32
    )
    expected = pyloudnorm.Meter(44_100, filter_class="DeMan").integrated_loudness(audio)
    for frames in (1_000, 44_100, 10**7):
        monkeypatch.setattr(tools.songs.loudness, "FILTERED_FRAMES", frames)
        assert integrated_lufs(audio, 44_100) == pytest.approx(expected, abs=1e-6)
