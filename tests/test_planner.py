"""The planner: repeat rules, natural runs, seeded draws, and what it does when scores fail."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.arrays import FloatArray
from model.errors import EndlosError
from stream.costs import CostWeights
from stream.feedback import LabelledJoin
from stream.generation import Generation
from stream.planner import Planner
from stream.planner_settings import PlannerSettings
from stream.precomputed import MatrixScorer
from stream.step import Step
from tests.pools import MadeUpScorer, make_generation, make_pool, noise_song


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    songs = [noise_song(15, 0), noise_song(12, 1), noise_song(9, 2)]
    return make_generation(make_pool(tmp_path_factory.mktemp("planner"), songs))


def walk(planner: Planner, steps: int) -> list[Step]:
    walked = []
    for _ in range(steps):
        step = planner.next()
        planner.deliver(step)
        walked.append(step)
    return walked


def rows(steps: list[Step]) -> list[int]:
    return [step.chunk.row for step in steps]


def settings(**changes: object) -> PlannerSettings:
    return replace(PlannerSettings(seed=3, min_phrase_s=0.0), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["model", "random"])
def test_no_chunk_comes_back_within_the_window(generation: Generation, strategy: str) -> None:
    planner = Planner(generation, settings(strategy=strategy, no_repeat_share=0.5))
    walked = rows(walk(planner, 300))
    window = len(generation.index) // 2
    for place, row in enumerate(walked):
        assert row not in walked[max(0, place - window) : place]
    assert set(walked) == set(range(len(generation.index)))


def test_the_same_seed_walks_the_same_way_and_another_does_not(generation: Generation) -> None:
    def go(seed: int) -> list[int]:
        return rows(walk(Planner(generation, settings(seed=seed)), 60))

    assert go(5) == go(5)
    assert go(5) != go(6)


def test_planning_ahead_changes_no_choice(generation: Generation) -> None:
    immediate = rows(walk(Planner(generation, PlannerSettings(seed=1)), 80))
    planner = Planner(generation, PlannerSettings(seed=1))
    planned = [planner.next() for _ in range(5)]
    ahead = []
    while len(ahead) < 80:
        step = planned.pop(0)
        planner.deliver(step)
        ahead.append(step.chunk.row)
        planned.append(planner.next())
    assert ahead == immediate


def joins_of(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.after is not None and not step.natural]


def test_top_one_takes_the_best_allowed(generation: Generation) -> None:
    joins = joins_of(walk(Planner(generation, settings(top_k=1, max_phrase_s=3.1)), 120))
    scored = [step for step in joins if step.rung == "full"]
    assert len(scored) > 20
    for step in scored:
        assert step.rank == 1 and step.score is not None
        parts = sum(value for name, value in step.terms.items() if name != "total")
        assert step.terms["total"] == pytest.approx(parts, abs=1e-3)


def test_a_phrase_lasts_as_long_as_asked_and_no_longer(generation: Generation) -> None:
    planner = Planner(generation, settings(min_phrase_s=4.0, max_phrase_s=6.0, no_repeat_share=0.0))
    steps = walk(planner, 300)
    assert len(joins_of(steps)) > 40
    phrase_s = steps[0].length_s
    for before, step in itertools.pairwise(steps):
        ended = generation.index.successor[before.chunk.row] < 0
        if not step.natural and not ended:
            assert 4.0 <= phrase_s <= 6.0 + 1e-6
        phrase_s = phrase_s + step.length_s if step.natural else step.length_s


def matrix_of(generation: Generation, matrix: FloatArray) -> Generation:
    """A model whose scores are all known."""
    return replace(generation, scorer=MatrixScorer(matrix))


ONLY_THE_MODEL = CostWeights(coverage=0.0, hub=0.0, next=0.0, before=0.0, next_bands=0.0, before_bands=0.0)


def test_the_best_exit_of_the_phrase_is_taken(generation: Generation) -> None:
    """One pair of chunks is far better than all others: it is taken wherever the phrase can reach it."""
    count = len(generation.index)
    matrix = np.full((count, count), 0.1, dtype=np.float32)
    matrix[4, 13] = 0.999
    plain = settings(top_k=1, max_phrase_s=9.0, joins_ahead=0, weights=ONLY_THE_MODEL)
    for start in range(5):
        planner = Planner(matrix_of(generation, matrix), plain, generation.chunk(start))
        assert rows(walk(planner, 6 - start)) == [*range(start, 5), 13]


def test_a_good_join_into_a_dead_end_is_left_for_one_that_leads_on(generation: Generation) -> None:
    count, index = len(generation.index), generation.index
    matrix = np.full((count, count), 0.5, dtype=np.float32)
    # From song 0, song 1 is a little better; but from song 1 no join is any good.
    matrix[np.ix_(index.song == 0, index.song == 1)] = 0.6
    matrix[index.song == 1] = 0.001

    def first_join(joins_ahead: int) -> Step:
        chosen = settings(
            top_k=1,
            joins_ahead=joins_ahead,
            max_phrase_s=3.1,
            other_songs=1.0,
            discount=0.9,
            weights=ONLY_THE_MODEL,
        )
        planner = Planner(matrix_of(generation, matrix), chosen, generation.chunk(0))
        return joins_of(walk(planner, 6))[0]

    assert first_join(0).chunk.song_index == 1
    assert first_join(2).chunk.song_index != 1


def test_expensive_scores_are_spread_over_the_chunks_of_a_phrase(generation: Generation) -> None:
    scorer = generation.scorer
    assert isinstance(scorer, MadeUpScorer)
    planner = Planner(generation, settings(min_phrase_s=4.0))
    for _ in range(100):
        before = scorer.asked
        planner.deliver(planner.next())
        assert scorer.asked - before <= 1


def test_a_disliked_join_does_not_come_back_and_a_liked_one_does(generation: Generation) -> None:
    pool, count = generation.pool, len(generation.index)
    matrix = np.full((count, count), 0.4, dtype=np.float32)
    matrix[4, 13] = 0.9

    def judged(row: int, label: int) -> LabelledJoin:
        return LabelledJoin(
            from_hash="hash0",
            from_end_sample=int(pool.end_sample[4]) + 1_000,
            to_hash=generation.key(row)[0],
            to_start_sample=int(pool.start_sample[row]) - 1_000,
            label=label,
        )

    chosen = settings(top_k=1, max_phrase_s=0.1, joins_ahead=0, weights=ONLY_THE_MODEL)

    def after(joins: list[LabelledJoin]) -> Step:
        planner = Planner(matrix_of(generation, matrix), chosen, generation.chunk(4), joins)
        return walk(planner, 2)[1]

    assert after([]).chunk.row == 13
    assert after([judged(13, 0)]).chunk.row != 13
    liked = after([judged(13, 0), judged(15, 1)])
    assert liked.chunk.row == 15 and liked.terms["liked"] == ONLY_THE_MODEL.liked


def test_the_pool_is_covered_evenly() -> None:
    generation = made_up(songs=12, chunks=25, chunk_s=4.0, seed=1)
    steps = walk(Planner(generation, PlannerSettings(seed=1)), 3_600)
    plays = np.bincount(rows(steps), minlength=len(generation.index))
    assert plays.min() > 0 and plays.max() <= 3 * plays.mean()
    assert plays.reshape(12, 25).mean(axis=1).min() > 0.5 * plays.mean()
    joins = joins_of(steps)
    share = sum(step.leaves_song for step in joins) / len(joins)
    assert share == pytest.approx(PlannerSettings().other_songs, abs=0.03)


def test_natural_plays_every_song_in_order_and_comes_round(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(strategy="natural"))
    count = len(generation.index)
    assert rows(walk(planner, count + 3)) == [*range(count), 0, 1, 2]


def test_leaving_goes_to_another_song(generation: Generation) -> None:
    for strategy in ("model", "random", "natural"):
        planner = Planner(generation, settings(strategy=strategy))
        walk(planner, 1)
        for _ in range(30):
            step = planner.next(leave=True)
            planner.deliver(step)
            assert step.after is not None and step.leaves_song and not step.natural
            assert step.chunk.song_index != step.after.song_index


def test_leaving_an_only_song_at_least_jumps(tmp_path: Path) -> None:
    alone = make_generation(make_pool(tmp_path, [noise_song(12, 0)]))
    for strategy in ("model", "random"):
        planner = Planner(alone, settings(strategy=strategy))
        walk(planner, 1)
        for _ in range(30):
            step = planner.next(leave=True)
            planner.deliver(step)
            assert step.after is not None and not step.leaves_song and not step.natural
            assert alone.index.successor[step.after.row] != step.chunk.row


def _scored(generation: Generation, score: Callable[[int], FloatArray]) -> Generation:
    return replace(generation, scorer=MadeUpScorer(lambda reference, candidates: score(reference)))


def test_a_failing_model_is_replaced_by_spectral_distance(generation: Generation) -> None:
    def broken(row: int) -> FloatArray:
        raise RuntimeError("boom")

    def not_a_number(row: int) -> FloatArray:
        return np.full(len(generation.index), np.nan, dtype=np.float32)

    for score, reason in ((broken, "RuntimeError"), (not_a_number, "not numbers")):
        planner = Planner(_scored(generation, score), settings(top_k=1, no_repeat_share=0.0))
        step = joins_of(walk(planner, 30))[0]
        assert step.rung == "nearest" and reason in step.reasons[0]


def test_the_repeat_rule_never_starves_a_tiny_pool(tmp_path: Path) -> None:
    generation = make_generation(make_pool(tmp_path, [noise_song(3, 0)]))
    planner = Planner(generation, settings(no_repeat_share=0.9))
    walked = rows(walk(planner, 20))
    assert set(walked) == {0, 1}


def test_banned_songs_are_not_played_and_banning_all_says_so(generation: Generation) -> None:
    planner = Planner(generation, settings())
    planner.ban("hash1")
    assert 1 not in {step.chunk.song_index for step in walk(planner, 100)[1:]}
    planner.ban("hash0")
    planner.ban("hash2")
    with pytest.raises(EndlosError, match="none of the songs can be read"):
        planner.next()
    planner.leave_out(frozenset({"hash0", "hash2"}))
    assert {step.chunk.song_index for step in walk(planner, 30)} == {1}


def test_a_new_generation_keeps_what_was_played(generation: Generation, tmp_path: Path) -> None:
    planner = Planner(generation, settings(no_repeat_share=0.6))
    first = walk(planner, 10)
    songs = [noise_song(15, 0), noise_song(12, 1), noise_song(9, 2), noise_song(6, 3)]
    larger = make_generation(make_pool(tmp_path, songs))
    planner.adopt(larger)
    later = walk(planner, 6)
    assert not {step.chunk.key for step in first} & {step.chunk.key for step in later}
    assert later[0].candidates == len(larger.index)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "best"},
        {"top_k": 0},
        {"temperature": 0.0},
        {"no_repeat_share": 1.0},
        {"max_phrase_s": -1.0},
        {"other_songs": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EndlosError):
        settings(**wrong)
