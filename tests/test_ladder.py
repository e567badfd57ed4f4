"""The ladder: each rung is reached under slowness to order, and what it decides is right."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.arrays import BoolArray, FloatArray, IntArray
from stream.generation import Generation
from stream.ladder import FEWEST_SHORTLISTED, Ladder
from stream.scorer import ScoringLateError
from stream.scorers import open_scorer
from stream.simulate import SlowScorer
from tests.models import write_tiny_model
from tests.pools import MadeUpScorer, make_generation, make_pool, noise_song


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    songs = [noise_song(40, 0), noise_song(40, 1)]
    return make_generation(make_pool(tmp_path_factory.mktemp("ladder"), songs, chunk_s=0.5))


@pytest.fixture(scope="module")
def everything(generation: Generation) -> BoolArray:
    return np.ones(len(generation.index), dtype=np.bool_)


def with_scorer(generation: Generation, function: Callable[[int, IntArray | None], FloatArray]) -> Generation:
    return replace(generation, scorer=MadeUpScorer(function))


def slowed(generation: Generation, slow_ms: float) -> Generation:
    assert generation.scorer is not None
    return replace(generation, scorer=SlowScorer(generation.scorer, slow_ms, len(generation.index)))


def test_without_hurry_everything_is_scored(generation: Generation, everything: BoolArray) -> None:
    for time_left_s in (None, 60.0):
        scored = Ladder().climb(generation, 3, everything, time_left_s)
        assert scored.rung == "full" and scored.mask.all() and not scored.reasons
        np.testing.assert_array_equal(scored.scores, generation.scorer.score(3))  # type: ignore[union-attr]


def test_when_time_is_short_the_nearest_are_scored(generation: Generation, everything: BoolArray) -> None:
    ladder, slow = Ladder(), slowed(generation, 400)
    assert ladder.climb(slow, 0, everything, 60.0).rung == "full"
    scored = ladder.climb(slow, 5, everything, 0.4)
    assert scored.rung == "shortlist" and "scored the nearest" in scored.reasons[0]
    chosen = np.flatnonzero(scored.mask)
    assert FEWEST_SHORTLISTED <= len(chosen) < len(everything)
    distances = generation.index.distances_db(5)
    assert distances[chosen].max() <= np.sort(distances)[len(chosen) - 1] + 1e-6
    expected = generation.scorer.score(5)  # type: ignore[union-attr]
    np.testing.assert_array_equal(scored.scores[chosen], expected[chosen])


def test_without_time_spectral_distance_decides_and_scoring_is_tried_again(
    generation: Generation, everything: BoolArray
) -> None:
    ladder, slow = Ladder(), slowed(generation, 400)
    ladder.climb(slow, 0, everything, 60.0)
    scored = ladder.climb(slow, 5, everything, 0.03)
    assert scored.rung == "nearest" and scored.reasons == ("there was no time to score",)
    assert int(scored.scores.argmax()) == int(generation.index.distances_db(5).argmin())
    rungs = [ladder.climb(slow, 6, everything, 0.1).rung for _ in range(12)]
    assert "shortlist" in rungs


def test_known_scores_are_used_when_time_is_short(tmp_path: Path, generation: Generation) -> None:
    scorer, index = open_scorer(write_tiny_model(tmp_path / "model", 200), generation.pool)
    known = replace(generation, index=index, scorer=SlowScorer(scorer, 400, len(index)))
    everything = np.ones(len(index), dtype=np.bool_)
    ladder = Ladder()
    first = ladder.climb(known, 0, everything, 60.0)
    again = ladder.climb(known, 0, everything, 0.03)
    assert (first.rung, again.rung) == ("full", "kept")
    np.testing.assert_array_equal(first.scores, again.scores)


def test_a_model_that_turns_slow_is_given_up_in_time(generation: Generation, everything: BoolArray) -> None:
    ladder = Ladder()
    ladder.climb(generation, 0, everything, 60.0)
    began_s = time.monotonic()
    scored = ladder.climb(slowed(generation, 30_000), 5, everything, 0.5)
    assert scored.rung == "nearest" and "late" in scored.reasons[0]
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize(
    ("wrong", "reason"), [(np.nan, "not numbers"), (np.inf, "not numbers"), (None, "RuntimeError")]
)
def test_a_broken_model_leaves_it_to_distance(
    generation: Generation, everything: BoolArray, wrong: float | None, reason: str
) -> None:
    def score(reference: int, candidates: IntArray | None) -> FloatArray:
        if wrong is None:
            raise RuntimeError("boom")
        return np.full(len(generation.index), wrong, dtype=np.float32)

    scored = Ladder().climb(with_scorer(generation, score), 2, everything, None)
    assert scored.rung == "nearest" and reason in scored.reasons[0]


def test_simulated_slowness_comes_in_shares(generation: Generation) -> None:
    assert generation.scorer is not None
    slow = SlowScorer(generation.scorer, 200, len(generation.index))
    began_s = time.monotonic()
    slow.score(0)
    assert time.monotonic() - began_s >= 0.2
    with pytest.raises(ScoringLateError):
        slow.score(1, timeout_s=0.01)
    slow.cancel()
    with pytest.raises(ScoringLateError):
        slow.score(2)
