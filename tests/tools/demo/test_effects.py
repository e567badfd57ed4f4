"""The effects of the demo songs equal results computed another way."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from tools.demo import effects, voices
from tools.demo.effects import DEMO_RATE_HZ


def test_convolution_is_the_plain_one() -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(150_000).astype(np.float32)
    kernel = rng.standard_normal(700).astype(np.float32)
    np.testing.assert_allclose(effects.convolve(sound, kernel), np.convolve(sound, kernel), atol=1e-3)


@pytest.mark.parametrize(("frequency_hz", "expected"), [(100, 0.0), (1000, 1.0), (9000, 0.0)])
def test_band_pass_keeps_its_band_in_place(frequency_hz: float, expected: float) -> None:
    times_s = np.arange(DEMO_RATE_HZ) / DEMO_RATE_HZ
    sine = np.sin(2 * np.pi * frequency_hz * times_s).astype(np.float32)
    passed = effects.band_pass(sine[None], 400, 2500)[0]
    # Linear phase, delay taken out: what passes is the sine itself.
    middle = slice(DEMO_RATE_HZ // 4, -DEMO_RATE_HZ // 4)
    gain = float(passed[middle] @ sine[middle] / (sine[middle] @ sine[middle]))
    assert gain == pytest.approx(expected, abs=0.1)


def test_limiter_holds_the_ceiling_and_leaves_the_quiet_alone() -> None:
    rng = np.random.default_rng(1)
    audio = 0.1 * rng.standard_normal((2, 60_001)).astype(np.float32)
    audio[:, 30_000] = 3.0
    audio[:, -1] = -2.0
    limited = effects.limited(audio, 0.8)
    assert np.abs(limited).max() <= 0.8 * (1 + 1e-6)
    assert limited[0, 30_000] == pytest.approx(0.8, rel=1e-3)
    np.testing.assert_allclose(limited[:, :28_000], audio[:, :28_000], rtol=1e-6)


def test_true_peak_sees_between_the_samples() -> None:
    frames = np.arange(400_000)
    # A quarter of the rate, sampled 45 degrees off its crests: samples say 0.707.
    sine = np.sin(np.pi / 2 * frames + np.pi / 4).astype(np.float32)
    sine *= np.hanning(len(frames)).astype(np.float32)
    assert np.abs(sine).max() < 0.72
    assert effects.mix_true_peak(np.stack([sine, 0 * sine])) == pytest.approx(1.0, abs=0.02)


def test_ducking_is_deepest_where_the_kick_starts_and_has_no_step() -> None:
    gains = effects.duck_curve(60_000, [0, 20_000, 50_000], depth=0.6, release_s=0.3)
    assert gains[20_000] == pytest.approx(0.4, abs=0.01) and gains[50_000] == pytest.approx(0.4, abs=0.01)
    assert gains[19_000] == 1.0 and gains[40_000] == 1.0
    assert np.abs(np.diff(gains)).max() < 0.01


def test_echoes_come_after_their_delay_and_change_sides() -> None:
    audio = np.zeros((2, DEMO_RATE_HZ), np.float32)
    audio[:, 1000] = 1.0
    echoes = effects.ping_pong(audio, delay_s=0.25, feedback=0.5, repeats=3)
    first, second = (np.abs(echoes[:, 1000 + round(n * 0.25 * DEMO_RATE_HZ)]) for n in (1, 2))
    assert np.argmax(first) == 1 and np.argmax(second) == 0
    assert second.max() == pytest.approx(0.5 * first.max(), rel=1e-3)
    assert np.abs(echoes[:, :5000]).max() < 1e-3


@pytest.mark.parametrize(
    "sound",
    [
        voices.rhodes(60, 0.5, 0.8),
        voices.organ(60, 0.5, 0.8),
        voices.stab(60, 0.5, 0.8),
        voices.pluck(72, 0.5, 0.8),
        voices.bell(72, 0.5, 0.8),
        voices.vibes(72, 0.5, 0.8),
        voices.flute(72, 0.5, 0.8),
        voices.bass("saw", 36, 0.5),
        voices.bass("round", 36, 0.5),
        voices.bass("sub", 36, 0.5),
    ],
    ids=["rhodes", "organ", "stab", "pluck", "bell", "vibes", "flute", "saw", "round", "sub"],
)
def test_voices_start_and_end_at_rest_without_dc_and_aliases(sound: FloatArray) -> None:
    side = np.atleast_2d(sound)[0]
    assert side.dtype == np.float32 and np.isfinite(side).all()
    peak = np.abs(side).max()
    assert max(abs(side[0]), abs(side[-1])) < 1e-3 * peak
    assert abs(side.mean()) < 0.01 * peak
    power = np.abs(np.fft.rfft(side * np.hanning(len(side)))) ** 2
    assert power[np.fft.rfftfreq(len(side), 1 / DEMO_RATE_HZ) > 15_000].sum() < 1e-6 * power.sum()


@pytest.mark.parametrize(("pitch", "name"), [(60, "rhodes"), (69, "flute"), (67, "vibes"), (64, "bell")])
def test_voices_are_in_tune(pitch: int, name: str) -> None:
    sound = getattr(voices, name)(pitch, 1.0, 0.6)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    loudest_hz = np.argmax(power) * DEMO_RATE_HZ / (1 << 19)
    assert loudest_hz == pytest.approx(voices.pitch_hz(pitch), rel=0.003)


def test_pad_is_a_seamless_loop_of_its_pitch() -> None:
    loop = voices.pad(np.random.default_rng(0), 60)
    steps = np.abs(np.diff(loop, axis=1))
    assert np.abs(loop[:, 0] - loop[:, -1]).max() <= steps.max()
    power = np.abs(np.fft.rfft(loop.sum(axis=0)))
    assert np.argmax(power) * DEMO_RATE_HZ / loop.shape[1] == pytest.approx(voices.pitch_hz(60), rel=0.02)
