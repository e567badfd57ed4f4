"""A local beat is found where attacks come back evenly, and nowhere else."""

import numpy as np
import pytest

from stream.joins.local_beat import LEAST_HEARD_S, LocalBeat, find_local_beat
from stream.joins.surroundings import attack_strengths
from tests.support.beaten import RATE_HZ, beaten_song, steady_beats

SECONDS = 12.0


def heard(beats_s: np.ndarray, seed: int = 1, *, seconds: float = SECONDS) -> LocalBeat | None:
    return find_local_beat(attack_strengths(beaten_song(seconds, beats_s, seed), RATE_HZ), RATE_HZ)


@pytest.mark.parametrize("bpm", [72.0, 93.7, 120.0, 151.3])
@pytest.mark.parametrize("first_s", [0.0, 0.23])
def test_a_steady_beat_is_found_to_some_milliseconds(bpm: float, first_s: float) -> None:
    found = heard(steady_beats(SECONDS, bpm, first_s))
    assert found is not None
    assert found.period_s == pytest.approx(60.0 / bpm, rel=2e-3)
    beats = (found.beat_s - first_s) * bpm / 60.0
    assert abs(beats - round(beats)) * 60.0 / bpm < 0.006


def test_strong_attacks_are_the_beat_and_soft_ones_between_them_are_not() -> None:
    beats_s = steady_beats(SECONDS, 110.0, 0.1)
    song = beaten_song(SECONDS, beats_s, 2)
    song += beaten_song(SECONDS, beats_s + 30.0 / 110.0, 3, level=0.01)
    found = find_local_beat(attack_strengths(song, RATE_HZ), RATE_HZ)
    assert found is not None
    beats = (found.beat_s - 0.1) * 110.0 / 60.0
    assert abs(beats - round(beats)) < 0.02


def test_attacks_as_strong_half_a_beat_away_do_not_say_where_the_beat_is() -> None:
    beats_s = steady_beats(SECONDS, 92.0, 0.1)
    assert heard(np.sort(np.concatenate([beats_s, beats_s + 0.5 * 60.0 / 92.0]))) is None


def test_a_beat_that_does_not_go_on_as_it_was_is_none() -> None:
    """From the middle on it lies a third of a beat later."""
    beats_s = steady_beats(SECONDS, 100.0)
    beats_s[beats_s > 0.5 * SECONDS] += 0.2
    assert heard(beats_s) is None


def test_without_a_beat_none_is_found() -> None:
    for seed in range(12):
        drawn = np.sort(np.random.default_rng(seed).uniform(0.0, SECONDS, 24))
        assert heard(drawn, seed) is None
    silence = np.zeros((round(SECONDS * RATE_HZ), 2), dtype=np.float32)
    assert find_local_beat(attack_strengths(silence, RATE_HZ), RATE_HZ) is None
    short_s = 0.9 * LEAST_HEARD_S
    assert heard(steady_beats(short_s, 120.0), seconds=short_s) is None
