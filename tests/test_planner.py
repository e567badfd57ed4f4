"""The planner: repeat rules, natural runs, seeded draws, and what it does when scores fail."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import EndlosError
from model.kernels import FloatArray
from stream.generation import Generation
from stream.planner import Planner, PlannerSettings, Step
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


def test_top_one_takes_the_best_allowed(generation: Generation) -> None:
    planner = Planner(generation, settings(top_k=1, max_natural=100))
    for step in walk(planner, 40)[1:]:
        assert step.rank == 1 and step.score is not None and step.rung == "full"


def test_natural_runs_end_at_their_limit(generation: Generation) -> None:
    natural = np.zeros((len(generation.index), len(generation.index)), dtype=np.float32)
    for row, following in enumerate(generation.index.successor):
        if following >= 0:
            natural[row, following] = 1.0
    planner = Planner(_scored(generation, lambda row: natural[row]), settings(top_k=1, max_natural=3))
    run, longest = 0, 0
    for step in walk(planner, 120):
        run = run + 1 if step.natural else 0
        longest = max(longest, run)
    assert longest == 3


def test_a_phrase_lasts_at_least_as_long_as_asked(generation: Generation) -> None:
    planner = Planner(generation, settings(min_phrase_s=4.0, max_natural=50, no_repeat_share=0.0))
    steps = walk(planner, 200)
    phrase_s = steps[0].chunk.end_s - steps[0].chunk.start_s
    for before, step in itertools.pairwise(steps):
        length_s = step.chunk.end_s - step.chunk.start_s
        ended = generation.index.successor[before.chunk.row] < 0
        if not step.natural and not ended:
            assert phrase_s >= 4.0
        phrase_s = phrase_s + length_s if step.natural else length_s


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
        step = walk(planner, 2)[1]
        assert step.rung == "nearest" and reason in step.reasons[0]
        assert step.after is not None
        distances = generation.index.distances_db(step.after.row)
        distances[step.after.row] = np.inf
        assert step.chunk.row == int(distances.argmin())


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
    [{"strategy": "best"}, {"top_k": 0}, {"temperature": 0.0}, {"no_repeat_share": 1.0}, {"max_natural": -1}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EndlosError):
        settings(**wrong)
