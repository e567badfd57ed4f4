"""Edges have one rate whatever the source's, hear nothing beyond the cut, and keep two channels apart."""

import math

import numpy as np
import pytest
import soxr

from model.base.arrays import FloatArray
from model.features.edges import DECIMATION, EDGE_RATE_HZ, chunk_edges

RATES_HZ = (8_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000)


def tone(frequency_hz: float, seconds: float, sample_rate_hz: int) -> FloatArray:
    times_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    left = 0.5 * np.sin(2 * np.pi * frequency_hz * times_s)
    return np.stack([left, 0.25 * left], axis=1).astype(np.float32)


def test_the_rate_is_the_reports_factor() -> None:
    assert DECIMATION == 35
    assert EDGE_RATE_HZ == 1260


@pytest.mark.parametrize("sample_rate_hz", RATES_HZ)
def test_edges_are_the_signal_at_1260_hz_whatever_the_source_rate(sample_rate_hz: int) -> None:
    edge = 630
    seconds = 2.0
    head, tail = chunk_edges(tone(200.0, seconds, sample_rate_hz), sample_rate_hz, edge)
    assert head.shape == tail.shape == (2, edge)
    assert head.dtype == tail.dtype == np.float32
    expected = 0.5 * np.sin(2 * np.pi * 200.0 * np.arange(edge) / EDGE_RATE_HZ)
    late = 0.5 * np.sin(2 * np.pi * 200.0 * (seconds - np.arange(edge, 0, -1) / EDGE_RATE_HZ))
    # Near the cut the filter has nothing to lean on, by design: no frame crosses it.
    inner = slice(40, -40)
    np.testing.assert_allclose(head[0, inner], expected[inner], atol=5e-3)
    np.testing.assert_allclose(tail[0, inner], late[inner], atol=5e-3)
    np.testing.assert_allclose(head[1], 0.25 * head[0], atol=1e-6)
    np.testing.assert_allclose(tail[1], 0.25 * tail[0], atol=1e-6)


@pytest.mark.parametrize("sample_rate_hz", [rate for rate in RATES_HZ if rate > 2_000])
def test_what_lies_above_half_the_rate_is_filtered_out_not_folded_down(sample_rate_hz: int) -> None:
    head, tail = chunk_edges(tone(1_100.0, 1.5, sample_rate_hz), sample_rate_hz, 630)
    inner = slice(60, -60)
    assert np.abs(head[0, inner]).max() < 1e-3
    assert np.abs(tail[0, inner]).max() < 1e-3


def test_the_inside_of_a_long_chunk_is_not_looked_at() -> None:
    rng = np.random.default_rng(0)
    chunk = rng.uniform(-0.5, 0.5, (5 * 44_100, 2)).astype(np.float32)
    other = chunk.copy()
    other[2 * 44_100 : 3 * 44_100] = 0.9
    for first, second in zip(chunk_edges(chunk, 44_100, 630), chunk_edges(other, 44_100, 630), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_short_chunk_is_padded_on_its_far_side() -> None:
    head, tail = chunk_edges(tone(200.0, 0.25, 44_100), 44_100, 630)
    samples = round(0.25 * EDGE_RATE_HZ)
    assert not head[:, samples + 1 :].any()
    assert np.abs(head[0, :samples]).max() > 0.4
    assert not tail[:, : 630 - samples - 1].any()
    assert np.abs(tail[0, -samples:]).max() > 0.4


def test_values_beyond_full_scale_are_clipped() -> None:
    head, tail = chunk_edges(4 * tone(200.0, 1.0, 44_100), 44_100, 630)
    for edge in (head, tail):
        assert edge.max() == 1.0
        assert edge.min() == -1.0


def test_the_input_is_left_as_it_is() -> None:
    chunk = 4 * tone(200.0, 1.0, 44_100)
    before = chunk.copy()
    chunk_edges(chunk, 44_100, 630)
    np.testing.assert_array_equal(chunk, before)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.7, 4.0])
def test_they_are_what_a_plain_resampler_makes_of_them(rate_hz: int, seconds: float) -> None:
    chunk = np.random.default_rng(0).normal(0, 0.2, (round(seconds * rate_hz), 2)).astype(np.float32)
    period = rate_hz // math.gcd(rate_hz, EDGE_RATE_HZ)
    span = -(-(630 + 64) * rate_hz // (EDGE_RATE_HZ * period)) * period
    plain = [
        soxr.resample(part, rate_hz, EDGE_RATE_HZ, quality="HQ") for part in (chunk[:span], chunk[-span:])
    ]
    head, tail = chunk_edges(chunk, rate_hz, 630)
    there = min(630, len(plain[0]))
    assert np.array_equal(head[:, :there], plain[0][:there].T)
    assert np.array_equal(tail[:, -there:], plain[1][-there:].T)
