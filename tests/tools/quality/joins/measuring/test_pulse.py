"""A pulse is found where a side knows its own beat, and nowhere else."""

import numpy as np
import pytest

from tests.tools.quality.joins.measuring.test_measures import RATE_HZ, drums, noise
from tools.quality.joins.measuring.pulse import beat_error_s, onset_strength, pulse


@pytest.mark.parametrize("late_s", [0.0, 0.030, 0.110])
def test_beats_that_are_late_by_so_much(late_s: float) -> None:
    before, after = drums(6.0, 0.5, 0.2), drums(6.0, 0.5, 0.2 + late_s)
    strength, step_s = onset_strength(np.concatenate([before, after]).mean(axis=1), RATE_HZ)
    split = round(6.0 / step_s)
    heard_before, heard_after = pulse(strength[:split], step_s), pulse(strength[split:], step_s)
    assert heard_before is not None and heard_after is not None
    assert heard_before.period_s == pytest.approx(0.5, rel=0.004)
    assert beat_error_s(heard_before, heard_after, split * step_s) == pytest.approx(late_s, abs=0.008)


def test_a_beat_that_is_as_loud_between_as_on_it_has_no_place() -> None:
    on = drums(6.0, 0.5, 0.2)
    strength, step_s = onset_strength((on + np.roll(on, RATE_HZ // 4, axis=0)).mean(axis=1), RATE_HZ)
    # Twice as fast is out of reach.
    assert pulse(strength, step_s) is None
    strength, step_s = onset_strength((on + 0.1 * np.roll(on, RATE_HZ // 4, axis=0)).mean(axis=1), RATE_HZ)
    assert pulse(strength, step_s) is not None


def test_steady_noise_has_no_beat() -> None:
    strength, step_s = onset_strength(noise(6.0, 0.1, 6).mean(axis=1), RATE_HZ)
    assert pulse(strength, step_s) is None


def test_a_beat_that_its_other_half_does_not_foretell_is_none() -> None:
    """Beats that are steady, but move by a third in the middle: nobody can say where the next one is."""
    for moved_s, known in ((0.0, True), (0.17, False), (0.25, False)):
        both = np.concatenate([drums(6.0, 0.5, 0.2), drums(6.0, 0.5, 0.2 + moved_s)])
        strength, step_s = onset_strength(both.mean(axis=1), RATE_HZ)
        assert (pulse(strength, step_s) is not None) is known


@pytest.mark.parametrize("off_s", [0.0, 0.020, 0.060, 0.120])
def test_beats_of_two_songs_one_of_which_beats_twice_as_fast(off_s: float) -> None:
    """Every second beat of the fast one is met, whichever it is."""
    for slow_first in (True, False):
        slow, fast = (
            drums(12.0, 0.8, 0.4 + (0.0 if slow_first else off_s)),
            drums(12.0, 0.4, 0.0 + (off_s if slow_first else 0.0)),
        )
        (one, step_s), (other, _) = (onset_strength(song.mean(axis=1), RATE_HZ) for song in (slow, fast))
        of_slow, of_fast = pulse(one, step_s), pulse(other, step_s)
        assert of_slow is not None and of_fast is not None
        pair = (of_slow, of_fast) if slow_first else (of_fast, of_slow)
        assert beat_error_s(*pair, 12.0) == pytest.approx(off_s, abs=0.008)
