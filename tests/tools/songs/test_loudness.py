"""Loudness has BS.1770's values for sines, and true peak is that of sines between the samples."""

import itertools

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import soxr

import tools.songs.power
import tools.songs.true_peak
import tools.songs.weighting
from model.base.arrays import FloatArray
from tools.songs.loudness import (
    SILENCE_DB,
    SILENCE_LUFS,
    integrated_lufs,
    measure_loudness,
    rms_db,
)
from tools.songs.power import window_power
from tools.songs.true_peak import true_peak
from tools.songs.weighting import SPANS, weighted_energies, weighted_squares


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
    assert true_peak(wave) == pytest.approx(0.5, rel=0.12)
    assert true_peak(wave[4_000:-4_000]) >= 0.49


def test_a_single_sample_is_never_lost() -> None:
    audio = np.zeros((200_000, 2), dtype=np.float32)
    audio[150_001, 1] = -0.8
    assert true_peak(audio) >= 0.8


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
        monkeypatch.setattr(tools.songs.weighting, "FILTERED_FRAMES", frames)
        assert integrated_lufs(audio, 44_100) == pytest.approx(expected, abs=1e-6)


def _song(frames: int) -> FloatArray:
    """Music with attacks, and silence in it."""
    rng = np.random.default_rng(frames)
    swell = np.sin(np.arange(frames) / 5_000) ** 2 * (np.arange(frames) % 30_000 < 22_000)
    audio: FloatArray = (
        scipy.signal.lfilter([1], [1, -0.7], rng.normal(0, 0.1, (frames, 2)), axis=0)
    ).astype(np.float32)
    return audio * swell[:, None].astype(np.float32)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_energies_are_those_behind_plain_filters(rate_hz: int, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = _song(100_000)
    bounds = np.array([0, 0, 13, 4_410, 60_000, 60_000, 99_999])
    weighted = audio.astype(np.float64)
    for stage in pyloudnorm.Meter(rate_hz, filter_class="DeMan")._filters.values():
        weighted = stage.passband_gain * scipy.signal.lfilter(stage.b, stage.a, weighted, axis=0)
    plain = [np.square(weighted[a:b]).sum() for a, b in itertools.pairwise(bounds)]
    np.testing.assert_allclose(weighted_energies(audio, rate_hz, bounds), plain, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(tools.songs.weighting, "FILTERED_FRAMES", 7_001)
    np.testing.assert_allclose(weighted_energies(audio, rate_hz, bounds), plain, rtol=1e-9, atol=1e-12)


def _noise(frames: int) -> FloatArray:
    return np.sign(np.random.default_rng(0).normal(0, 1, (frames, 2))).astype(np.float32)


@pytest.mark.parametrize(
    "audio",
    [
        _song(150_001),
        _noise(20_000),  # all samples are equally high
        *(
            np.sin(np.arange(9_000) * turns * 2 * np.pi)[:, None].repeat(2, 1).astype(np.float32)
            for turns in (0.25, 0.44)
        ),
        *(_noise(frames) for frames in (1, 15, 17)),
    ],
    ids=len,
)
def test_the_true_peak_is_that_of_all_of_it_oversampled(
    audio: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    oversampled = soxr.resample(audio, 44_100, 4 * 44_100, quality="MQ")
    plain = max(np.abs(audio).max(), np.abs(oversampled).max())
    assert true_peak(audio) == pytest.approx(plain, rel=2e-6)
    monkeypatch.setattr(tools.songs.true_peak, "PART_FRAMES", 1_600)
    assert true_peak(audio) == pytest.approx(plain, rel=2e-6)


@pytest.mark.parametrize("window", [1, 3, 441, 5_000])
def test_power_is_the_mean_square_of_each_window(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = _song(4_413)
    plain = [np.mean(np.square(audio[at : at + window].astype(np.float64))) for at in range(0, 4_413, window)]
    np.testing.assert_allclose(window_power(audio, window), plain, rtol=1e-12)
    monkeypatch.setattr(tools.songs.power, "PART_WINDOWS", 2)
    np.testing.assert_allclose(window_power(audio, window), plain, rtol=1e-12)


def test_spans_side_by_side_are_what_each_is_alone() -> None:
    audio, rng = _song(60_000), np.random.default_rng(1)
    begins = rng.integers(-500, 61_000, SPANS)
    begins[:3] = 0, 59_000, 70_000
    together = weighted_squares(audio, 44_100, begins, 2_000, 3_001)
    around = np.pad(audio, ((4_000, 16_000), (0, 0)))
    for begin, found in zip(begins.tolist(), together, strict=True):
        alone = around[begin + 2_000 : begin + 7_001]
        squares = weighted_squares(alone, 44_100, np.full(SPANS, 2_000), 2_000, 3_001)[0]
        np.testing.assert_array_equal(found, squares)
