"""Steering mutes and favours songs, changes shares and phrases at once, and leads to the song asked for."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.base.errors import EndlosError
from stream.choosing.candidates import Search
from stream.choosing.generation import Generation
from stream.choosing.journey.leaning import TOWARDS_PHRASES, Leaning
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.phrases import Phrases
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings, Strategy
from stream.choosing.step import Step
from stream.choosing.weighing.weights import CostWeights
from stream.doors.settings import DoorSettings
from stream.scoring.matrix_scorer import MatrixScorer
from tests.support.pools import with_opened

SONGS, CHUNKS = 12, 20


@pytest.fixture(scope="module")
def generation() -> Generation:
    return made_up(songs=SONGS, chunks=CHUNKS, chunk_s=4.0, seed=2)


def hash_of(generation: Generation, song: int) -> str:
    return generation.pool.songs[song].audio_hash


def go(planner: Planner, steps: int) -> list[Step]:
    gone = []
    for _ in range(steps):
        gone.append(planner.next())
        planner.deliver(gone[-1])
    return gone


def songs(steps: list[Step]) -> list[int]:
    return [step.chunk.song_index for step in steps]


def joins_of(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.after is not None and not step.natural]


def steered(generation: Generation, settings: PlannerSettings | None = None, **wanted: Any) -> Planner:
    return Planner(generation, settings or PlannerSettings(seed=1), steering=Steering(**wanted))


@pytest.mark.parametrize(
    "wanted",
    [
        {"other_songs": 1.01},
        {"other_songs": math.nan},
        {"phrase_factor": 0.2},
        {"phrase_factor": math.inf},
        {"muted": frozenset("a"), "favoured": frozenset("ab")},
        {"muted": frozenset("a"), "towards": "a"},
    ],
)
def test_what_cannot_be_meant_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(EndlosError):
        Steering(**wanted)


def test_an_opinion_takes_the_place_of_the_one_before() -> None:
    steering = Steering(muted=frozenset("a"), towards="b", phrase_factor=2.0)
    favoured = steering.judged("a", "favoured")
    assert favoured == replace(steering, muted=frozenset(), favoured=frozenset("a"))
    assert favoured.judged("a", None) == replace(steering, muted=frozenset())
    assert steering.judged("b", "muted").towards is None


@pytest.mark.parametrize("strategy", ["model", "random", "natural"])
def test_what_is_muted_is_not_played_and_the_rest_is_as_even_as_before(
    generation: Generation, strategy: Strategy
) -> None:
    muted = [0, 3, 4, 6, 7, 8, 9, 10, 11]
    planner = steered(
        generation,
        PlannerSettings(seed=1, strategy=strategy),
        muted=frozenset(hash_of(generation, song) for song in muted),
    )
    steps = go(planner, 1_200)
    played = np.bincount(songs(steps), minlength=SONGS)
    assert not played[muted].any()
    left = np.delete(played, muted)
    assert left.min() > 0.5 * left.mean()
    assert not any("played lately" in reason for step in steps for reason in step.reasons)


def test_a_song_that_is_muted_while_it_plays_is_left_at_the_end_of_its_chunk(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(seed=1), generation.chunk(2))
    assert songs(go(planner, 2)) == [0, 0]
    planner.steer(Steering(muted=frozenset([hash_of(generation, 0)])))
    step = go(planner, 1)[0]
    assert step.chunk.song_index != 0 and step.rung in ("full", "kept")


def test_where_all_is_muted_it_is_played_all_the_same_and_says_so(generation: Generation) -> None:
    planner = steered(generation, muted=frozenset(song.audio_hash for song in generation.pool.songs))
    joins = joins_of(go(planner, 120))
    assert len(joins) > 3 and all("muted" in step.reasons[0] for step in joins)


def test_what_comes_back_is_no_more_due_than_the_rest(generation: Generation) -> None:
    one = hash_of(generation, 5)
    planner = steered(generation, muted=frozenset([one]))
    go(planner, 12 * SONGS * CHUNKS)
    planner.steer(NOT_STEERED)
    played = np.bincount(songs(go(planner, 2 * SONGS * CHUNKS)), minlength=SONGS)
    assert 0 < played[5] < 2 * played.mean()


def test_what_is_favoured_is_played_more_often_and_its_term_is_told(generation: Generation) -> None:
    def share(**wanted: Any) -> float:
        steps = go(steered(generation, **wanted), 2_400)
        return songs(steps).count(5) / len(steps)

    favoured = frozenset([hash_of(generation, 5)])
    assert share(favoured=favoured) > 1.2 * share()
    steps = joins_of(go(steered(generation, favoured=favoured), 400))
    weight = PlannerSettings().weights.favoured
    for step in steps:
        if step.terms:
            parts = sum(value for name, value in step.terms.items() if name != "total")
            assert step.terms["favoured"] == (weight if step.chunk.song_index == 5 else 0.0)
            assert step.terms["total"] == pytest.approx(parts, abs=1e-3)


def test_a_random_stream_favours_too(generation: Generation) -> None:
    settings = PlannerSettings(seed=1, strategy="random", no_repeat_share=0.0)
    steps = go(steered(generation, settings, favoured=frozenset([hash_of(generation, 5)])), 600)
    assert songs(steps).count(5) > 1.5 * len(steps) / SONGS


@pytest.mark.parametrize("share", [0.15, 0.9])
def test_the_share_of_other_songs_changes_while_it_plays(generation: Generation, share: float) -> None:
    planner = Planner(generation, PlannerSettings(seed=1, no_repeat_share=0.1))
    go(planner, 50)
    planner.steer(Steering(other_songs=share))
    ends = [step for step in go(planner, 1_000) if step.ends_phrase]
    assert sum(step.leaves_song for step in ends) / len(ends) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0])
def test_phrases_last_as_much_longer_as_is_asked_for(generation: Generation, factor: float) -> None:
    short = DoorSettings(blend_bars=0, plain_fade_s=0.0)
    settings = PlannerSettings(seed=1, min_phrase_s=8.0, max_phrase_s=16.0, doors=short)
    planner = Planner(generation, settings)
    go(planner, 50)
    planner.steer(Steering(phrase_factor=factor))
    steps = go(planner, 600)
    lengths, length_s = [], 0.0
    for before, step in itertools.pairwise(steps):
        length_s += before.length_s
        if step.ends_phrase:
            if generation.index.successor[before.chunk.row] >= 0:
                lengths.append(length_s)
            length_s = 0.0
    assert len(lengths) > 10
    # The first was under way.
    assert min(lengths[1:]) >= 8.0 * factor - 1e-6
    assert max(lengths[1:]) <= max(4.0, 16.0 * factor) + 1e-6


@pytest.mark.parametrize("strategy", ["model", "random"])
def test_the_song_that_is_asked_for_is_reached_within_a_few_phrases(
    generation: Generation, strategy: Strategy
) -> None:
    taken = []
    for start, goal in itertools.product(range(0, SONGS, 3), range(1, SONGS, 4)):
        planner = Planner(
            generation, PlannerSettings(seed=goal, strategy=strategy), generation.chunk(CHUNKS * start + 3)
        )
        if songs(go(planner, 5))[-1] == goal:
            continue
        planner.steer(Steering(towards=hash_of(generation, goal)))
        joins: list[Step] = []
        while not joins or joins[-1].chunk.song_index != goal:
            joins += joins_of(go(planner, 1))
            assert len(joins) <= TOWARDS_PHRASES + 1
        assert all(any("song that was asked for" in reason for reason in step.reasons) for step in joins)
        taken.append(len(joins))
        # It is reached: nothing pulls there any more.
        assert all(step.terms.get("towards", 0.0) == 0.0 for step in joins_of(go(planner, 40)))
    if strategy == "model":
        assert np.mean(taken) < TOWARDS_PHRASES


def by_songs(generation: Generation, logits: dict[tuple[int, int], float], other: float) -> Generation:
    """A model that gives these log-odds to joins from one song to another, and `other` to all else."""
    song = generation.index.song
    matrix = np.full((len(song), len(song)), other)
    for (exit_song, entry_song), logit in logits.items():
        matrix[np.ix_(song == exit_song, song == entry_song)] = logit
    return with_opened(generation, scorer=MatrixScorer((1.0 / (1.0 + np.exp(-matrix))).astype(np.float32)))


def songs_on_the_way(generation: Generation, goal: int) -> list[int]:
    # By the model alone, and not by how the songs would meet.
    weights = CostWeights(door=0.0)
    settings = PlannerSettings(
        seed=1, top_k=1, min_phrase_s=4.0, max_phrase_s=12.0, joins_ahead=0, weights=weights
    )
    planner = Planner(generation, settings, generation.chunk(0))
    go(planner, 1)
    planner.steer(Steering(towards=hash_of(generation, goal)))
    ways: list[int] = []
    while not ways or ways[-1] != goal:
        ways += songs(joins_of(go(planner, 1)))
        assert len(ways) <= TOWARDS_PHRASES + 1
    return ways


def test_a_song_from_which_a_good_join_leads_there_is_taken_first(generation: Generation) -> None:
    """Song 3 follows song 0 best of all, but a good join to song 2 leads from song 1 alone."""
    logits = {(0, 3): 2.0, (0, 1): 0.0, (1, 2): 2.0}
    assert songs_on_the_way(by_songs(generation, logits, other=-9.0), 2) == [1, 2]


def test_a_song_that_is_near_is_entered_at_once(generation: Generation) -> None:
    assert songs_on_the_way(by_songs(generation, {(0, 3): 2.0, (0, 2): 1.5}, other=-9.0), 2) == [2]


def test_a_song_to_which_no_good_join_leads_is_entered_in_the_end(generation: Generation) -> None:
    goal = 2
    logits = {(song, goal): -12.0 for song in range(SONGS)}
    ways = songs_on_the_way(by_songs(generation, logits, other=11.0), goal)
    assert len(ways) == TOWARDS_PHRASES + 1


def test_a_song_that_was_just_played_comes_back_when_it_is_asked_for(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(seed=1, no_repeat_share=0.9), generation.chunk(0))
    for row in range(CHUNKS):
        planner.deliver(Step(after=None, chunk=generation.chunk(row), natural=True, rung="natural"))
    planner.anchor(generation.chunk(5 * CHUNKS))
    planner.steer(Steering(towards=hash_of(generation, 0)))
    joins: list[Step] = []
    while not joins or joins[-1].chunk.song_index != 0:
        joins += joins_of(go(planner, 1))
        assert len(joins) <= TOWARDS_PHRASES + 1
    assert any("comes back early" in reason for reason in joins[-1].reasons)


def test_a_song_that_plays_in_its_order_is_reached_at_the_end_of_the_one_before(
    generation: Generation,
) -> None:
    planner = Planner(generation, PlannerSettings(strategy="natural"), generation.chunk(0))
    planner.steer(Steering(towards=hash_of(generation, 7)))
    assert [step.chunk.row for step in go(planner, CHUNKS + 2)][-2:] == [7 * CHUNKS, 7 * CHUNKS + 1]


def test_steering_towards_a_song_survives_plans_that_are_thrown_away(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(seed=1), generation.chunk(0))
    first = planner.next()
    planner.deliver(first)
    goal = hash_of(generation, 4)
    planner.steer(Steering(towards=goal))
    while planner.next().chunk.song_index != 4:
        pass
    planner.anchor(first.chunk)
    joins: list[Step] = []
    while not joins or joins[-1].chunk.song_index != 4:
        joins += joins_of(go(planner, 1))
        assert len(joins) <= TOWARDS_PHRASES + 1


def test_what_is_planned_before_the_new_anchor_counts_as_played(generation: Generation) -> None:
    def after(anchored: bool) -> list[int]:
        planner = Planner(generation, PlannerSettings(seed=1, strategy="random", no_repeat_share=0.9))
        planned = [planner.next() for _ in range(8)]
        if anchored:
            planner.anchor(planned[4].chunk)
        kept = planned[:5] if anchored else planned
        later = [planner.next() for _ in range(180)]
        return [step.chunk.row for step in kept + later]

    for rows in (after(False), after(True)):
        assert len(set(rows)) == len(rows)


def test_a_phrase_is_worth_what_the_best_join_is_that_it_leads_to(generation: Generation) -> None:
    settings, goal = PlannerSettings(seed=1, max_phrase_s=16.0), 3
    phrases, search = Phrases.of_pool(generation.pool, settings), Search(generation, settings, [])
    leaning = Leaning.of(generation, Steering(towards=hash_of(generation, goal)), phrases, search.reach)
    everything = np.ones(len(generation.index), dtype=np.bool_)
    there = generation.index.song == goal
    best = np.array([search.exit(row, everything, None).worths[there].max() for row in range(len(there))])
    compared = 0
    for row in np.flatnonzero(phrases.first_exit >= 0):
        exits = range(phrases.first_exit[row], phrases.last_exit[row] + 1)
        # Song 3 itself: a chunk does not follow itself, which an exit knows and a way need not.
        if not there[row]:
            assert leaning.ways[row] == pytest.approx(max(best[exit_row] for exit_row in exits), abs=1e-3)
            compared += 1
    assert compared > 100


def test_a_song_that_the_pool_does_not_hold_changes_nothing(generation: Generation) -> None:
    plain = go(Planner(generation, PlannerSettings(seed=1)), 80)
    gone = frozenset(["of another pool"])
    other = go(steered(generation, muted=gone, towards="gone as well"), 80)
    assert [step.chunk.row for step in other] == [step.chunk.row for step in plain]


def test_what_the_listener_wants_holds_in_the_next_generation_too(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(seed=1), generation.chunk(0))
    go(planner, 3)
    muted, goal = hash_of(generation, 5), hash_of(generation, 9)
    planner.steer(Steering(muted=frozenset([muted]), towards=goal))
    newer = made_up(songs=SONGS + 2, chunks=CHUNKS, chunk_s=4.0, seed=3)
    planner.adopt(newer)
    steps = go(planner, 400)
    assert all(step.chunk.generation is newer for step in steps)
    assert hash_of(newer, 5) == muted and 5 not in songs(steps)
    assert 9 in songs(joins_of(steps)[: TOWARDS_PHRASES + 1])
