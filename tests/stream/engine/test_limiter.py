"""The limiter holds true peaks below the ceiling, and only delays where nothing is to do."""

import numpy as np
import pytest
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.base.arrays import FloatArray
from stream.engine.limiter import Limiter, true_peaks
from stream.joins.levels import CEILING

RATE_HZ = 44_100


def limited(audio: FloatArray, *, watched: bool = True, block: int = 10_000) -> FloatArray:
    """Push all of `audio` and pull it again, pulled and pushed in blocks."""
    limiter = Limiter(RATE_HZ)
    tail = np.zeros((limiter.ahead_frames, 2), dtype=np.float32)
    limiter.push(tail, watched=False)
    limiter.pull(0)
    pieces = []
    for start in range(0, len(audio), block):
        piece = audio[start : start + block]
        limiter.push(piece, watched=watched)
        pieces.append(limiter.pull(len(piece)))
    limiter.push(tail, watched=False)
    pieces.append(limiter.pull(len(tail)))
    return np.concatenate(pieces)[len(tail) :]


@example(seed=12356, gain=2.0)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), gain=st.floats(0.1, 4.0))
def test_the_true_peak_stays_below_the_ceiling(seed: int, gain: float) -> None:
    rng = np.random.default_rng(seed)
    audio = (gain * rng.normal(0, 0.3, (3000, 2))).astype(np.float32)
    out = limited(audio)
    assert np.abs(out).max() <= CEILING * (1 + 1e-6)
    # Noise up to the highest frequency, and an edge of full level, is more than any interpolation agrees on;
    # below it they do.
    fade = np.minimum(1.0, np.minimum(np.arange(len(audio)), np.arange(len(audio))[::-1]) / 100.0)[:, None]
    music = soxr.resample(audio * fade, RATE_HZ // 2, RATE_HZ, quality="VHQ").astype(np.float32)
    over = soxr.resample(limited(music), RATE_HZ, 4 * RATE_HZ, quality="VHQ")
    assert np.abs(over).max() <= CEILING * (1 + 1e-3)


def test_peaks_between_the_samples_are_found() -> None:
    # A quarter of the rate, 45 degrees off: samples at 0.707 of the wave's peak.
    wave = np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4).astype(np.float32)
    audio = np.stack([wave, -wave], axis=1)
    assert np.abs(audio).max() == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert true_peaks(audio)[100:-100].max() == pytest.approx(1.0, abs=5e-3)
    assert np.abs(limited(audio)[500:-500]).max() == pytest.approx(CEILING * np.sqrt(0.5), rel=0.01)


def test_what_is_quiet_or_not_watched_passes_bit_for_bit() -> None:
    rng = np.random.default_rng(1)
    quiet = np.clip(rng.normal(0, 0.1, (5000, 2)), -0.4, 0.4).astype(np.float32)
    np.testing.assert_array_equal(limited(quiet), quiet)
    loud = (10 * quiet).astype(np.float32)
    np.testing.assert_array_equal(limited(loud, watched=False), loud)


def test_only_the_surroundings_of_a_peak_change() -> None:
    audio = np.full((4000, 2), 0.5, dtype=np.float32)
    audio[2000] = 1.5
    out = limited(audio)
    reach = Limiter(RATE_HZ).ahead_frames
    np.testing.assert_array_equal(out[: 2000 - reach], audio[: 2000 - reach])
    np.testing.assert_array_equal(out[2001 + reach :], audio[2001 + reach :])
    assert np.all(out <= audio) and out[2000, 0] < 0.9


@pytest.mark.parametrize("block", [1, 7, 997, 8192])
def test_blocks_of_any_size_give_the_same(block: int) -> None:
    audio = np.random.default_rng(2).normal(0, 0.5, (3000, 2)).astype(np.float32)
    np.testing.assert_array_equal(limited(audio, block=block), limited(audio))


def test_what_is_not_held_cannot_be_pulled() -> None:
    limiter = Limiter(RATE_HZ)
    with pytest.raises(ValueError, match="must stay"):
        limiter.pull(1)


def test_only_what_is_watched_is_looked_at() -> None:
    loud = np.random.default_rng(3).normal(0, 1.0, (6000, 2)).astype(np.float32)
    limiter = Limiter(RATE_HZ)
    reach, pieces = limiter.ahead_frames, []
    limiter.push(np.zeros((reach, 2), dtype=np.float32), watched=False)
    for first in range(0, 6000, 500):
        limiter.push(loud[first : first + 500], watched=2000 <= first < 4000)
        pieces.append(limiter.pull(500))
    out = np.concatenate(pieces)[reach:]
    np.testing.assert_array_equal(out[: 2000 - reach], loud[: 2000 - reach])
    assert np.abs(out[2000:4000]).max() <= CEILING * (1 + 1e-6)
    np.testing.assert_array_equal(out[4000 + reach :], loud[4000 + reach : 6000 - reach])
