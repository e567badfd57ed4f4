"""The choice of a fade keeps attacks, fades agreeing tones longer than attacks, and holds its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.arrays import DoubleArray
from stream.joins.fades import WORST_RATIO, Fade, Limits, choose_fade
from stream.joins.surroundings import Seam, analyse

RATE_HZ = 44_100
REACH = 258 * 128
FREE = Limits(longest_frames=RATE_HZ, before_cut_frames=RATE_HZ, after_start_frames=RATE_HZ)


def noise(level: float, seed: int = 0) -> DoubleArray:
    return np.random.default_rng(seed).normal(0.0, level, (2 * REACH, 2))


def struck(sound: DoubleArray, at_s: float, seed: int = 1) -> DoubleArray:
    """Add a sharp burst that dies away, `at_s` from the seam."""
    since = np.arange(-REACH, REACH) - round(at_s * RATE_HZ)
    burst = np.exp(-np.maximum(since, 0) / 2000) * (since >= 0)
    return sound + 0.5 * burst[:, None] * noise(1.0, seed)


def tones(*hz: float) -> DoubleArray:
    time_s = np.arange(-REACH, REACH) / RATE_HZ
    sound = sum(np.sin(2 * np.pi * frequency * time_s + frequency) for frequency in hz)
    return np.repeat(0.1 * np.asarray(sound)[:, None], 2, axis=1) + noise(1e-4)


def chosen(a: DoubleArray, b: DoubleArray, limits: Limits = FREE) -> Fade:
    return choose_fade(seam(a), seam(b), 0, 0.0, limits, RATE_HZ)


def seam(sound: DoubleArray) -> Seam:
    return analyse(sound.astype(np.float32), RATE_HZ)


def test_a_fade_is_over_before_the_first_attack_of_b() -> None:
    for attack_s in (0.012, 0.03, 0.05):
        fade = chosen(struck(noise(0.02), -0.4), struck(noise(0.02, 2), attack_s))
        end_s = (fade.middle_frames + fade.after_frames) / RATE_HZ
        # Hops are 3 ms and a window four of them.
        assert end_s <= attack_s + 0.004
        assert fade.before_frames + fade.after_frames <= 0.15 * RATE_HZ


def test_an_attack_of_a_just_behind_its_cut_is_left_out() -> None:
    fade = chosen(struck(noise(0.02), 0.03), noise(0.02, 2))
    assert (fade.middle_frames + fade.after_frames) / RATE_HZ <= 0.034


def test_other_harmony_without_attacks_fades_longer_than_beats_do() -> None:
    beats = chosen(struck(noise(0.1), 0.02), struck(noise(0.1, 2), 0.02))
    pads = chosen(tones(220, 277, 330), tones(233, 311, 370))
    assert pads.before_frames + pads.after_frames > beats.before_frames + beats.after_frames


@settings(max_examples=25, deadline=None)
@given(
    shift=st.integers(-8000, 8000),
    longest_s=st.floats(0.0, 1.0),
    before_s=st.floats(0.0, 0.4),
    after_s=st.floats(0.0, 0.4),
    earliest_s=st.none() | st.floats(-0.05, 0.0),
)
def test_limits_hold(
    shift: int, longest_s: float, before_s: float, after_s: float, earliest_s: float | None
) -> None:
    a, b = seam(struck(noise(0.02), 0.0)), seam(noise(0.02, 2))
    limits = Limits(
        longest_frames=round(longest_s * RATE_HZ),
        before_cut_frames=round(before_s * RATE_HZ),
        after_start_frames=round(after_s * RATE_HZ),
        earliest_frames=None if earliest_s is None else round(earliest_s * RATE_HZ),
    )
    fade = choose_fade(a, b, shift, 0.0, limits, RATE_HZ)
    assert fade.before_frames >= 0 and fade.after_frames >= 0
    assert fade.before_frames + fade.after_frames <= limits.longest_frames
    assert fade.middle_frames - fade.before_frames >= limits.earliest
    assert fade.middle_frames + fade.after_frames <= max(shift + limits.after_start_frames, limits.earliest)


SOFT, OTHER = tones(220, 277, 330), tones(233, 311, 370)


def of_half(a: DoubleArray, b: DoubleArray, half_s: float) -> Fade:
    return choose_fade(seam(a), seam(b), 0, 0.0, FREE, RATE_HZ, (half_s,))


def test_neither_half_is_much_longer_than_the_other() -> None:
    """The soft song would go on for long, and the attack of the other comes at once."""
    for attack_s in (0.006, 0.012, 0.02, 0.03):
        fade = chosen(SOFT, struck(OTHER, attack_s))
        halves = sorted((fade.before_frames, fade.after_frames))
        assert halves[1] <= WORST_RATIO * halves[0]


def test_a_middle_away_from_the_start_costs_its_distance() -> None:
    fade = chosen(SOFT, struck(OTHER, 0.012))
    assert abs(fade.middle_frames) > 0.03 * RATE_HZ
    assert fade.costs_db["away"] == pytest.approx(15.0 * abs(fade.middle_frames) / RATE_HZ, abs=1e-3)


def test_what_does_not_agree_clashes_for_as_long_as_both_sound() -> None:
    short, long = (of_half(SOFT, OTHER, half_s).costs_db["clash"] for half_s in (0.1, 0.2))
    assert long == pytest.approx(2.0 * short, rel=0.1)
    # On average half of either is heard: 40 dB a second where nothing agrees, and the bands on top.
    assert 0.5 * 0.2 * 20.0 < short < 0.5 * 0.2 * 60.0
    assert of_half(SOFT, SOFT, 0.2).costs_db["clash"] == pytest.approx(0.0, abs=0.01)


def test_a_hole_costs_its_level() -> None:
    hole = noise(0.1, 2)
    hole[REACH - RATE_HZ // 5 : REACH + RATE_HZ // 5] *= 1e-3
    # In the middle of the fade half of A is left, and nothing of B: 3 dB less than A alone.
    assert 2.0 < of_half(noise(0.1), hole, 0.05).costs_db["level"] < 8.0
    assert of_half(noise(0.1), noise(0.1, 2), 0.05).costs_db["level"] < 0.5


def test_an_attack_hides_a_change_of_sound() -> None:
    bright = tones(1500, 1900, 2500)
    for half_s in (0.006, 0.012, 0.024):
        open_db, hidden_db = (
            of_half(a, bright, half_s).costs_db["cut"] for a in (SOFT, struck(SOFT, -0.012))
        )
        assert hidden_db < 0.6 * open_db and open_db > 20.0


def test_every_term_is_told() -> None:
    fade = chosen(noise(0.1), noise(0.1, 2))
    assert set(fade.costs_db) == {"level", "attack", "cut", "clash", "away"}
    assert fade.costs_db["level"] == pytest.approx(0.0, abs=0.5)
