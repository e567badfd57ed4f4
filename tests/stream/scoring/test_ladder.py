"""The ladder reaches each rung under slowness to order, and decides rightly there."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.choosing.generation import Generation
from stream.index.vector_index import EmbeddingIndex
from stream.scoring import ladder as ladder_module
from stream.scoring import slow_scorer as simulate
from stream.scoring.ladder import FEWEST_SHORTLISTED, TIMEOUT_SHARE, Ladder, ScoredCandidates
from stream.scoring.scorer import ScoringLateError
from stream.scoring.slow_scorer import SlowScorer
from tests.support.models import scorer_of, write_tiny_model
from tests.support.pools import MadeUpScorer, make_generation, make_pool, noise_song, with_opened


class Clock:
    """Time that passes when the simulated scorer waits, and then only."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def event(self) -> threading.Event:
        """Return an event whose wait is over at once."""
        event = threading.Event()

        def wait(timeout_s: float) -> bool:
            self.now_s += 0.0 if event.is_set() else timeout_s
            return event.is_set()

        event.wait = wait  # type: ignore[method-assign, assignment]
        return event


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """How long scoring takes is what was ordered, however slow this machine is."""
    clock = Clock()
    monkeypatch.setattr(ladder_module, "time", SimpleNamespace(perf_counter=lambda: clock.now_s))
    monkeypatch.setattr(simulate, "threading", SimpleNamespace(Event=clock.event))
    return clock


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    songs = [noise_song(40, 0), noise_song(40, 1)]
    return make_generation(make_pool(tmp_path_factory.mktemp("ladder"), songs, chunk_s=0.5))


@pytest.fixture(scope="module")
def everything(generation: Generation) -> BoolArray:
    return np.ones(len(generation.index), dtype=np.bool_)


def with_scorer(generation: Generation, function: Callable[[int, IntArray | None], FloatArray]) -> Generation:
    return with_opened(generation, scorer=MadeUpScorer(function))


def slowed(generation: Generation, slow_ms: float) -> Generation:
    assert generation.scorer is not None
    return with_opened(generation, scorer=SlowScorer(generation.scorer, slow_ms, len(generation.index)))


def climbed(
    ladder: Ladder, generation: Generation, row: int, mask: BoolArray, time_left_s: float | None
) -> ScoredCandidates:
    assert generation.scorer is not None
    return ladder.climb(generation.scorer, generation.index, row, mask, time_left_s)


def test_without_hurry_everything_is_scored(generation: Generation, everything: BoolArray) -> None:
    for time_left_s in (None, 60.0):
        scored = climbed(Ladder(), generation, 3, everything, time_left_s)
        assert scored.rung == "full" and scored.mask.all() and not scored.reasons
        np.testing.assert_array_equal(scored.scores, generation.scorer.score(3))  # type: ignore[union-attr]


def test_when_time_is_short_the_nearest_are_scored(generation: Generation, everything: BoolArray) -> None:
    ladder, slow = Ladder(), slowed(generation, 400)
    assert climbed(ladder, slow, 0, everything, 60.0).rung == "full"
    scored = climbed(ladder, slow, 5, everything, 0.4)
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
    climbed(ladder, slow, 0, everything, 60.0)
    scored = climbed(ladder, slow, 5, everything, 0.03)
    assert scored.rung == "nearest" and scored.reasons == ("there was no time to score",)
    assert int(scored.scores.argmax()) == int(generation.index.distances_db(5).argmin())
    rungs = [climbed(ladder, slow, 6, everything, 0.1).rung for _ in range(12)]
    assert "shortlist" in rungs


def test_a_cost_that_is_not_dared_is_forgotten_bit_by_bit(
    generation: Generation, everything: BoolArray, clock: Clock
) -> None:
    """Once it took 400 ms, and never again: however short the time, it is tried again, and then relied on."""
    ladder = Ladder()
    climbed(ladder, slowed(generation, 400), 0, everything, 60.0)
    rungs = [climbed(ladder, generation, 5, everything, 0.03).rung for _ in range(60)]
    assert rungs[0] == "nearest"
    assert rungs.index("shortlist") < rungs.index("full")


def test_of_a_huge_pool_the_nearest_are_scored_however_much_time_there_is(
    generation: Generation, everything: BoolArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_module, "MOST_SCORED", 40)
    scored = climbed(Ladder(), generation, 3, everything, None)
    assert scored.rung == "shortlist" and np.count_nonzero(scored.mask) == 40
    chosen = np.flatnonzero(scored.mask)
    assert set(chosen) == set(np.argsort(generation.index.distances_db(3), kind="stable")[:40])


def test_of_a_huge_pool_the_models_own_vectors_say_what_is_nearest(
    generation: Generation, everything: BoolArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_module, "MOST_SCORED", 40)
    monkeypatch.setattr(ladder_module, "MOST_BY_VECTORS", 20)
    count, rng = len(generation.index), np.random.default_rng(0)
    ends, starts = (rng.normal(0, 1, (count, 8)).astype(np.float32) for _ in range(2))
    vectors = EmbeddingIndex.quantised(ends, starts, metric="dot", key="test")
    assert generation.scorer is not None
    some = everything.copy()
    some[::3] = False
    scored = Ladder().climb(generation.scorer, generation.index, 3, some, None, vectors)
    assert scored.rung == "shortlist" and "scored the nearest 20" in scored.reasons[0]
    allowed = np.flatnonzero(some)
    expected = allowed[np.argsort(-vectors.scores(3)[allowed], kind="stable")[:20]]
    assert set(np.flatnonzero(scored.mask)) == set(expected)


def test_known_scores_are_used_when_time_is_short(tmp_path: Path, generation: Generation) -> None:
    scorer, index = scorer_of(write_tiny_model(tmp_path / "model", 200), generation.pool)
    known = with_opened(generation, index=index, scorer=SlowScorer(scorer, 400, len(index)))
    everything = np.ones(len(index), dtype=np.bool_)
    ladder = Ladder()
    first = climbed(ladder, known, 0, everything, 60.0)
    again = climbed(ladder, known, 0, everything, 0.03)
    assert (first.rung, again.rung) == ("full", "kept")
    np.testing.assert_array_equal(first.scores, again.scores)


def test_a_model_that_turns_slow_is_given_up_in_time(
    generation: Generation, everything: BoolArray, clock: Clock
) -> None:
    ladder = Ladder()
    climbed(ladder, generation, 0, everything, 60.0)
    scored = climbed(ladder, slowed(generation, 30_000), 5, everything, 0.5)
    assert scored.rung == "nearest" and "late" in scored.reasons[0]
    assert clock.now_s == pytest.approx(TIMEOUT_SHARE * 0.5)


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

    scored = climbed(Ladder(), with_scorer(generation, score), 2, everything, None)
    assert scored.rung == "nearest" and reason in scored.reasons[0]


@pytest.mark.parametrize("time_left_s", [None, 0.4])
def test_a_candidate_whose_score_is_no_number_is_left_out_and_the_rest_is_ranked(
    generation: Generation,
    everything: BoolArray,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    time_left_s: float | None,
) -> None:
    good = generation.scorer
    assert good is not None
    wrong = np.argsort(generation.index.distances_db(5))[[1, 3]]

    def score(reference: int, candidates: IntArray | None) -> FloatArray:
        clock.now_s += 0.4 if candidates is None else 0.0
        scores = good.score(reference).copy()
        scores[wrong] = np.nan, np.inf
        return scores if candidates is None else scores[candidates]

    ladder, broken = Ladder(), with_scorer(generation, score)
    for _ in range(2):
        climbed(ladder, broken, 0, everything, 60.0)
        scored = climbed(ladder, broken, 5, everything, time_left_s)
        assert scored.rung == ("full" if time_left_s is None else "shortlist")
        assert "gave no number for 2 of" in scored.reasons[-1]
        assert not scored.mask[wrong].any() and np.isfinite(scored.scores).all()
        np.testing.assert_array_equal(scored.scores[scored.mask], good.score(5)[scored.mask])
        assert scored.rows is None or scored.mask[scored.rows].all()
    (told,) = caplog.records
    assert "which are left out" in told.getMessage()
    # Nobody asked for those.
    others = everything.copy()
    others[wrong] = False
    scored = climbed(Ladder(), broken, 5, others, time_left_s)
    assert not any("no number" in reason for reason in scored.reasons) and np.isfinite(scored.scores).all()
    assert len(caplog.records) == 1


def test_simulated_slowness_comes_in_shares(generation: Generation, clock: Clock) -> None:
    assert generation.scorer is not None
    slow = SlowScorer(generation.scorer, 200, len(generation.index))
    slow.score(0)
    assert clock.now_s == pytest.approx(0.2)
    slow.score(0, np.arange(len(generation.index) // 4))
    assert clock.now_s == pytest.approx(0.25)
    with pytest.raises(ScoringLateError):
        slow.score(1, timeout_s=0.01)
    slow.cancel()
    with pytest.raises(ScoringLateError):
        slow.score(2)
