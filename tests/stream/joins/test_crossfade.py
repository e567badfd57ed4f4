"""Crossfades keep the level for every correlation, equally loud in the middle, however uneven."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.joins.crossfade import correlation, fade_gains


def mix(outgoing: FloatArray, incoming: FloatArray, before: int, r: float) -> FloatArray:
    gain_out, gain_in = fade_gains(before, len(outgoing) - before, r)
    mixed: FloatArray = outgoing * gain_out[:, None] + incoming * gain_in[:, None]
    return mixed


@pytest.mark.parametrize("r", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize(("before", "after"), [(250, 250), (50, 450), (400, 100)])
def test_the_level_of_a_correlated_mix_is_constant(r: float, before: int, after: int) -> None:
    out, into = (gain.astype(np.float64) for gain in fade_gains(before, after, r))
    np.testing.assert_allclose(out**2 + into**2 + 2 * r * out * into, 1.0, atol=1e-6)
    assert out[0] > 0.98 and into[-1] > 0.98 and np.all(np.diff(out) < 0) and np.all(np.diff(into) > 0)
    assert out[before - 1] > into[before - 1] and out[before] < into[before]


def test_equal_signals_fade_without_a_trace() -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, (4000, 2)).astype(np.float32)
    assert correlation(audio, audio) == pytest.approx(1.0)
    np.testing.assert_allclose(mix(audio, audio, 3000, 1.0), audio, atol=1e-6)


def test_independent_noise_keeps_its_power_through_the_fade() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(0, 0.1, (40_000, 2)).astype(np.float32) for _ in range(2))
    r = correlation(a, b)
    assert abs(r) < 0.05
    level_db = [20 * np.log10(part.std() / 0.1) for part in np.split(mix(a, b, 10_000, r), 8)]
    assert max(np.abs(level_db)) < 0.5


def test_a_fade_of_no_length_is_nothing() -> None:
    nothing = np.zeros((0, 2), dtype=np.float32)
    assert mix(nothing, nothing, 0, 0.0).shape == (0, 2)


def test_correlation() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(0, 0.1, (10_000, 2)).astype(np.float32)
    assert correlation(a, -a) == pytest.approx(-1.0)
    assert correlation(a, np.zeros_like(a)) == 0.0
    b = (0.6 * a + 0.8 * rng.normal(0, 0.1, a.shape)).astype(np.float32)
    assert correlation(a, b) == pytest.approx(0.6, abs=0.03)
