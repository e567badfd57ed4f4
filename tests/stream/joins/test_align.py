"""The alignment finds known shifts of beats, attacks and waves to a tenth of a millisecond."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.joins.align import find_shift, grid_shift_s, onset_shift
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, Seam, analyse

RATE_HZ = 44_100
REACH = 258 * 128


def drums(shift_s: float, *, period_s: float = 0.3, seed: int = 0) -> Seam:
    """Struck tones every `period_s`, one of them 12 ms after the seam, all `shift_s` earlier."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(-REACH, REACH) / RATE_HZ
    sound = rng.normal(0.0, 1e-4, 2 * REACH)
    for beat in range(-3, 4):
        since_s = time_s - (0.012 + beat * period_s - shift_s)
        struck = np.exp(-since_s / 0.02) * np.sin(2 * np.pi * 180 * since_s) * (since_s >= 0)
        sound += 0.4 * np.nan_to_num(struck)
    return seam_of(sound)


def bass(hz: float, phase_s: float) -> Seam:
    return seam_of(0.3 * np.sin(2 * np.pi * hz * (np.arange(-REACH, REACH) / RATE_HZ + phase_s)))


def seam_of(sound: FloatArray) -> Seam:
    return analyse(np.repeat(sound[:, None], 2, axis=1).astype(np.float32), RATE_HZ)


@pytest.mark.parametrize("shift_s", [0.0, 0.0121, -0.0307, 0.0033, 0.0402])
def test_attacks_fall_on_each_other(shift_s: float) -> None:
    found = find_shift(drums(0.0), drums(shift_s, seed=1), RATE_HZ, grid_s=None, longest_s=0.3)
    assert found.frames / RATE_HZ == pytest.approx(shift_s, abs=1e-4)
    assert found.onset_correlation > 0.9 and found.sample_correlation > 0.9
    assert 1e3 * found.frames / RATE_HZ == pytest.approx(found.onset_ms + found.sample_ms, abs=1e-6)


@pytest.mark.parametrize("error_s", [-0.03, 0.0, 0.025])
def test_a_grid_leads_to_the_right_beat_and_attacks_put_it_right(error_s: float) -> None:
    found = find_shift(drums(0.0), drums(0.14, seed=1), RATE_HZ, grid_s=0.14 + error_s, longest_s=0.3)
    assert found.frames / RATE_HZ == pytest.approx(0.14, abs=1e-4)
    assert found.grid_ms == pytest.approx(1e3 * (0.14 + error_s))


@pytest.mark.parametrize("hz", [55.0, 110.0])
@pytest.mark.parametrize("phase", [-0.3, 0.1, 0.4])
def test_the_phase_of_a_bass_is_kept(hz: float, phase: float) -> None:
    """Without attacks B is moved by the fraction of a period that it is ahead, to 0.1 ms."""
    found = find_shift(bass(hz, 0.0), bass(hz, phase / hz), RATE_HZ, grid_s=None, longest_s=0.3)
    assert found.sample_correlation > 0.98
    periods = found.frames / RATE_HZ * hz
    assert (periods - phase + 0.5) % 1.0 - 0.5 == pytest.approx(0.0, abs=1e-4 * hz)
    assert abs(found.frames) <= 0.012 * RATE_HZ


def test_no_shift_is_longer_than_allowed() -> None:
    found = find_shift(drums(0.0), drums(0.05), RATE_HZ, grid_s=0.05, longest_s=0.02)
    assert abs(found.frames) <= 0.02 * RATE_HZ
    assert find_shift(drums(0.0), drums(0.05), RATE_HZ, grid_s=0.05, longest_s=0.0).frames == 0


def attacks(at_hops: float, *, every_hops: float | None = None) -> FloatArray:
    """Onset strengths with bumps, one of them `at_hops` from the seam; `every_hops` others."""
    hops = np.arange(2 * REACH // SURROUNDINGS_HOP_FRAMES) - REACH // SURROUNDINGS_HOP_FRAMES
    away = hops - at_hops
    if every_hops is not None:
        away = (away + every_hops / 2) % every_hops - every_hops / 2
    return (5.0 * np.exp(-0.5 * np.square(away / 2.0))).astype(np.float32)


@pytest.mark.parametrize("fraction", [-0.4, -0.2, 0.0, 0.3, 0.45])
def test_attacks_are_found_between_the_hops(fraction: float) -> None:
    shift, how_well = onset_shift(attacks(4.0), attacks(4.0 - 7.0 - fraction), 0.0, 20.0, RATE_HZ)
    assert shift == pytest.approx(7.0 + fraction, abs=0.05) and how_well > 0.98


@pytest.mark.parametrize("ahead_hops", [6.0, -6.0])
def test_of_two_shifts_that_fit_alike_the_smaller_is_taken(ahead_hops: float) -> None:
    """Attacks come every 17 hops: 6 hops one way are as good as 11 the other way."""
    first, second = attacks(0.0, every_hops=17.0), attacks(-ahead_hops, every_hops=17.0)
    assert onset_shift(first, second, 0.0, 20.0, RATE_HZ)[0] == pytest.approx(ahead_hops, abs=0.1)


def test_silence_and_noise_move_nothing() -> None:
    silence = seam_of(np.zeros(2 * REACH))
    found = find_shift(silence, drums(0.01), RATE_HZ, grid_s=None, longest_s=0.3)
    assert (found.frames, found.onset_correlation, found.sample_correlation) == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("since_s", "until_s", "ratio", "expected_s"),
    [
        (0.488, 0.012, 1.0, 0.0),
        (0.488, 0.112, 1.0, -0.1),
        (0.300, 0.000, 1.0, 0.2),
        (0.300, 0.000, 2.0, -0.05),
    ],
)
def test_the_grid_asks_for_the_nearest_beat(
    since_s: float, until_s: float, ratio: float, expected_s: float
) -> None:
    """A's beats come every half second; B's first is to fall on one of them."""
    assert grid_shift_s(since_s, until_s, 0.5, ratio) == pytest.approx(expected_s)
