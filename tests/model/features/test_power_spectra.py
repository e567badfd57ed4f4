"""Power spectra and bands are those of a plain transform in double precision."""

import numpy as np
import pytest

from model.features import power_spectra
from model.features.power_spectra import WINDOW_SIZES, BandWeights, band_powers, band_weights, window_powers


@pytest.mark.parametrize("size", WINDOW_SIZES)
@pytest.mark.parametrize("windows", [1, 2, 7])
def test_powers_are_those_of_a_plain_transform(size: int, windows: int) -> None:
    rng = np.random.default_rng(size)
    audio = rng.normal(0, 0.1, 3 * size).astype(np.float32)
    # Next to each other, one is loud and the other is not; the last ones end after the audio, or begin there.
    audio[: size // 2] *= 1e-3
    starts = np.array([0, size // 2, 5, size, 2 * size + 9, 3 * size, 4 * size])[:windows]
    weights = rng.uniform(0, 1, size).astype(np.float32)
    padded = np.pad(audio.astype(np.float64), (0, 3 * size))
    plain = np.abs(np.fft.rfft([padded[start : start + size] * weights for start in starts])) ** 2
    found = window_powers(audio, starts, weights)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain, rtol=2e-5, atol=2e-7 * plain.max())


def test_no_window_has_no_power() -> None:
    assert window_powers(np.ones(9, np.float32), np.empty(0, np.int64), np.ones(256, np.float32)).shape == (
        0,
        129,
    )


def test_read_only_and_strided_audio_is_heard_alike() -> None:
    audio = np.random.default_rng(0).normal(0, 1, (2_000, 2)).astype(np.float32)
    starts, weights = np.arange(3) * 200, np.hanning(1_024).astype(np.float32)
    expected = window_powers(audio[:, 0].copy(), starts, weights)
    fixed = audio[:, 0].copy()
    fixed.flags.writeable = False
    assert np.array_equal(window_powers(audio[:, 0], starts, weights), expected)
    assert np.array_equal(window_powers(fixed, starts, weights), expected)


@pytest.mark.parametrize("windows", [1, 64, 150])
def test_bands_are_sums_of_what_is_in_them(windows: int) -> None:
    rng = np.random.default_rng(windows)
    filters = rng.uniform(0, 1, (129, 9)).astype(np.float32)
    for band in range(9):
        filters[: 10 * band, band] = filters[10 * band + 17 :, band] = 0
    filters[:, 4] = 0
    filters[30:32, 2] = 0
    powers = rng.uniform(0, 1, (windows, 129)).astype(np.float32)
    plain = powers.astype(np.float64) @ filters
    bands = band_weights(filters)
    assert isinstance(bands, BandWeights) and len(bands.weights) <= 9 * 17
    np.testing.assert_allclose(band_powers(powers, bands), plain, rtol=1e-5)


def test_each_compiled_step_is_kept_under_a_name_of_its_own() -> None:
    """Else two processes that compile at the same time mix them up, and spectra are wrong from then on."""
    kernels = [value.py_func for value in vars(power_spectra).values() if hasattr(value, "py_func")]
    assert len(kernels) >= 10
    names = [(kernel.__qualname__, kernel.__code__.co_firstlineno) for kernel in kernels]
    assert len(set(names)) == len(names)
