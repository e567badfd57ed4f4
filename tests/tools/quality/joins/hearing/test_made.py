"""Joins that are made of spectra are as joins of sound are."""

import numpy as np

from model.base.arrays import FloatArray
from tools.quality.joins.hearing.made import made_joins
from tools.quality.joins.hearing.samples import paired
from tools.quality.joins.spectra import spectra
from tools.quality.joins.streams import PLAIN_FADE_S

RATE_HZ = 44_100


def sound(seed: int) -> FloatArray:
    """Three seconds of noise of a colour of its own, whose level goes up and down."""
    rng = np.random.default_rng(seed)
    bins = np.fft.rfft(rng.normal(size=3 * RATE_HZ))
    colour = np.interp(np.arange(len(bins)), np.linspace(0, len(bins), 12), rng.uniform(-30, 0, 12))
    noise = np.fft.irfft(bins * 10 ** (colour / 20))
    level = 1 + 0.8 * np.sin(2 * np.pi * rng.uniform(1, 4) * np.arange(len(noise)) / RATE_HZ)
    return (noise * level).astype(np.float32)


def mel(mono: FloatArray) -> FloatArray:
    return paired(spectra(mono, RATE_HZ).mel)


def test_a_made_join_has_the_spectrum_of_the_fade() -> None:
    far = []
    for seed in range(8):
        before, after = sound(2 * seed), sound(2 * seed + 1)
        half, fade = len(before) // 2, round(PLAIN_FADE_S * RATE_HZ)
        angle = np.clip((np.arange(len(before)) - half) / fade + 0.5, 0, 1) * np.pi / 2
        joined = mel((before * np.cos(angle) + after * np.sin(angle)).astype(np.float32))
        pool = np.stack([mel(before), mel(after)]).astype(np.float16)
        made = made_joins(pool, np.array([0]), np.array([1]))[0]
        far.append(made - joined)
    middle = joined.shape[0] // 2
    away = np.abs(far).mean(axis=(0, 2))
    # Outside of the fade it is the same sound; inside, phases make powers of noise differ by chance alone.
    assert away[: middle - 4].max() < 0.02 and away[middle + 4 :].max() < 0.02
    assert away.max() < 2.5
    assert np.abs(np.mean(far, axis=(0, 2)))[middle - 4 : middle + 4].max() < 1.0


def test_a_window_that_goes_over_into_itself_is_as_it_was() -> None:
    own = np.random.default_rng(0).normal(0, 10, (3, 128, 64)).astype(np.float16)
    made = made_joins(own, np.arange(3), np.arange(3))
    assert np.allclose(made, own, atol=0.01)


def test_each_half_comes_from_its_window() -> None:
    own = np.repeat(np.arange(3.0), 128 * 2).reshape(3, 128, 2).astype(np.float16)
    made = made_joins(own, np.array([0, 2]), np.array([1, 0]))
    assert (made[0, :60] == 0).all() and (made[0, 68:] == 1).all()
    assert (made[1, :60] == 2).all() and (made[1, 68:] == 0).all()
    assert (np.diff(made[0, :, 0]) > -0.01).all() and (np.diff(made[1, :, 0]) < 0.01).all()
