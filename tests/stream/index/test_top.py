"""The best of many scores are those of a stable sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.index.top import FEW, LEAST_ROOM, rank_of, top


@given(
    levels=st.integers(1, 60),
    count=st.sampled_from([1, 2, 100, LEAST_ROOM - 1, LEAST_ROOM + 1, 50_000]),
    wanted=st.sampled_from([1, 3, FEW, FEW + 1, 100, 10_000, 60_000]),
    order=st.sampled_from(["random", "rising", "falling"]),
    seed=st.integers(0, 99),
)
def test_top_is_a_stable_sort_of_the_allowed_rows(
    levels: int, count: int, wanted: int, order: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, count).astype(np.float32)
    scores[scores == 0] = -np.inf
    if order != "random":
        scores.sort()
    if order == "falling":
        scores = scores[::-1]
    mask = rng.random(count) < rng.random()
    allowed = np.flatnonzero(mask)
    expected = allowed[np.argsort(-scores[allowed], kind="stable")][:wanted]
    np.testing.assert_array_equal(top(scores, mask, wanted), expected)
    scores.flags.writeable = False
    np.testing.assert_array_equal(top(scores, mask, wanted), expected)


def test_nothing_allowed_gives_nothing_and_mistakes_are_refused() -> None:
    scores, mask = np.zeros(4, dtype=np.float32), np.zeros(4, dtype=np.bool_)
    assert len(top(scores, mask, 3)) == 0
    with pytest.raises(ValueError, match="of one length"):
        top(scores, mask[:3], 3)
    with pytest.raises(ValueError, match="at least 1"):
        top(scores, mask, 0)


def test_rank_counts_better_allowed_rows() -> None:
    scores = np.array([0.9, 0.5, 0.7, 0.5], dtype=np.float32)
    mask = np.array([False, True, True, True])
    assert [rank_of(scores, mask, row) for row in (2, 1, 3)] == [1, 2, 2]
