"""The steadiness of a side equals its formula, and is read beside the distances."""

import numpy as np
import pytest

from model.features.seam import (
    BEST_LAG,
    ECHO_BANDS,
    ECHO_FRAMES,
    SEAM_GROUPS,
    SEAM_STEPS_PER_DB,
    SEAM_VALUES,
    SeamSides,
)
from model.features.steadiness import STEADINESS_VALUES, distances_and_steadiness, steadiness

_ECHO = ECHO_FRAMES * ECHO_BANDS


def _sides() -> SeamSides:
    levels = np.random.default_rng(2).integers(-900, 0, (2, 5, SEAM_VALUES)).astype(np.int16)
    # A spread, or the distance of a lag, is never below zero.
    levels[:, :, 2 * _ECHO :] *= -1
    return SeamSides(ends=levels[0], starts=levels[1])


@pytest.mark.parametrize("ends", [True, False])
def test_what_changes_from_frame_to_frame_is_told_by_its_logarithm(*, ends: bool) -> None:
    rows = _sides().ends
    after, before = (rows[:, first : first + _ECHO] for first in (0, _ECHO))
    # What is an echo in an end is what really sounds in a start.
    echo, there = (after, before) if ends else (before, after)
    if ends:
        echo[0] = -400
    found = steadiness(rows, ends=ends)
    for row in range(len(rows)):
        changes = [
            np.abs(np.diff(side[row].reshape(ECHO_FRAMES, ECHO_BANDS).astype(float), axis=0)).mean(axis=1)
            for side in (echo, there)
        ]
        level = BEST_LAG - 1
        spread = rows[row, level - SEAM_GROUPS["mel, spread"] : level].mean()
        echo_changes = [changes[0][:8].mean(), changes[0][8:].mean()]
        written_out = np.array([*echo_changes, changes[1][8:].mean(), spread, rows[row, BEST_LAG]])
        floor = [0.05, 0.05, 0.05, 0.1, 0.05]
        expected = np.log(written_out / SEAM_STEPS_PER_DB + floor)
        np.testing.assert_allclose(found[row], expected, rtol=1e-4)


def test_pairs_are_the_end_s_and_each_start_s_in_any_order() -> None:
    sides = _sides()
    rows = np.array([4, 1, 4])
    some_db, some = distances_and_steadiness(sides, 3, rows)
    all_db, everything = distances_and_steadiness(sides, 3)
    assert everything.shape == (5, 2 * STEADINESS_VALUES)
    np.testing.assert_array_equal(some, everything[rows])
    np.testing.assert_array_equal(some_db, sides.distances_db(3, rows))
    np.testing.assert_array_equal(all_db, sides.distances_db(3))
    np.testing.assert_array_equal(
        everything[2, :STEADINESS_VALUES], steadiness(sides.ends[3:4], ends=True)[0]
    )
    np.testing.assert_array_equal(everything[:, STEADINESS_VALUES:], steadiness(sides.starts, ends=False))
