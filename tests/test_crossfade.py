"""Crossfade and limiter: constant level for every correlation, no peak over the ceiling, idle is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.crossfade import CEILING, correlation, fade_gains, limit, mix


@pytest.mark.parametrize("r", [0.0, 0.3, 0.8, 1.0])
def test_the_level_of_a_correlated_mix_is_constant(r: float) -> None:
    out, into = (gain.astype(np.float64) for gain in fade_gains(500, r))
    np.testing.assert_allclose(out**2 + into**2 + 2 * r * out * into, 1.0, atol=1e-6)
    assert out[0] > 0.99 and into[-1] > 0.99 and np.all(np.diff(out) < 0) and np.all(np.diff(into) > 0)


def test_equal_signals_fade_without_a_trace() -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, (4000, 2)).astype(np.float32)
    mixed, r = mix(audio, audio, 3000)
    assert r == pytest.approx(1.0)
    np.testing.assert_allclose(mixed, audio, atol=1e-6)


def test_independent_noise_keeps_its_power_through_the_fade() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(0, 0.1, (40_000, 2)).astype(np.float32) for _ in range(2))
    mixed, r = mix(a, b, 38_000)
    assert abs(r) < 0.05
    level_db = [20 * np.log10(part.std() / 0.1) for part in np.split(mixed, 8)]
    assert max(np.abs(level_db)) < 0.5


def test_outside_the_fade_the_signals_are_untouched() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.normal(0, 0.1, (1000, 2)).astype(np.float32) for _ in range(2))
    mixed, _ = mix(a, b, 400)
    np.testing.assert_array_equal(mixed[:300], a[:300])
    np.testing.assert_array_equal(mixed[700:], b[700:])
    hard, _ = mix(a, b, 0)
    np.testing.assert_array_equal(hard, np.concatenate([a[:500], b[500:]]))


@settings(max_examples=50)
@given(seed=st.integers(0, 2**16), lookahead=st.integers(2, 300), gain=st.floats(0.1, 4.0))
def test_the_limiter_holds_the_ceiling_everywhere(seed: int, lookahead: int, gain: float) -> None:
    rng = np.random.default_rng(seed)
    audio = (gain * rng.normal(0, 0.3, (2000, 2))).astype(np.float32)
    limited = limit(audio, CEILING, lookahead)
    assert np.abs(limited).max() <= CEILING * (1 + 2e-4)


def test_the_limiter_leaves_the_surroundings_of_a_peak_alone() -> None:
    audio = np.full((4000, 2), 0.5, dtype=np.float32)
    audio[2000] = 1.5
    limited = limit(audio, CEILING, 200)
    assert limited is not audio and np.abs(limited).max() <= CEILING * (1 + 1e-6)
    np.testing.assert_array_equal(limited[:1800], audio[:1800])
    np.testing.assert_array_equal(limited[2201:], audio[2201:])
    assert limit(audio[:1500], CEILING, 200) is not None
    np.testing.assert_array_equal(limit(audio[:1500], CEILING, 200), audio[:1500])


def test_correlation() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(0, 0.1, (10_000, 2)).astype(np.float32)
    assert correlation(a, -a) == pytest.approx(-1.0)
    assert correlation(a, np.zeros_like(a)) == 0.0
    b = (0.6 * a + 0.8 * rng.normal(0, 0.1, a.shape)).astype(np.float32)
    assert correlation(a, b) == pytest.approx(0.6, abs=0.03)
