"""Linear prediction equals SciPy's solution of the same equations, and goes on with what repeats itself."""

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz

from model.learning.linear_prediction import WHITE_NOISE, linear_coefficients, predict_linearly


@pytest.mark.parametrize("order", [1, 2, 8, 32])
def test_the_coefficients_solve_the_equations_of_the_autocorrelation(order: int) -> None:
    rng = np.random.default_rng(order)
    signals = np.cumsum(rng.normal(size=(5, 200)), axis=1).astype(np.float32)
    found = linear_coefficients(signals, order)
    for signal, coefficients in zip(signals.astype(np.float64), found, strict=True):
        correlation = np.array([signal[lag:] @ signal[: len(signal) - lag] for lag in range(order + 1)])
        column = correlation[:-1].copy()
        column[0] *= 1 + WHITE_NOISE
        np.testing.assert_allclose(
            coefficients, solve_toeplitz(column, correlation[1:]), rtol=1e-4, atol=1e-6
        )


def test_tones_go_on_and_silence_stays() -> None:
    time = np.arange(900)
    tones = np.stack([np.sin(0.3 * time), np.sin(0.11 * time + 1) + 0.5 * np.sin(0.71 * time), 0.0 * time])
    foretold = predict_linearly(tones[:, :880].astype(np.float32), 20)
    assert foretold.dtype == np.float32
    np.testing.assert_allclose(foretold, tones[:, 880:], atol=0.1)
    assert not foretold[2].any()


def test_an_order_that_the_samples_cannot_tell_is_refused() -> None:
    for order in (0, 30):
        with pytest.raises(ValueError, match=f"order {order} does not go with 30 samples"):
            linear_coefficients(np.zeros((1, 30), dtype=np.float32), order)
