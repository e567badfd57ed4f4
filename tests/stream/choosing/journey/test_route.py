"""A song is reached by the best doors within a given time, and songs are played whole on request."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.base.errors import EndlosError
from stream.choosing.generation import Generation
from stream.choosing.journey.route import MOST_CHANGES, Route
from stream.choosing.journey.steering import Steering
from stream.choosing.phrases import LONGEST_OVERLAP_S, SKIPPED_S
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.choosing.step import Step
from stream.doors.ranking import DoorRanking
from tests.support.pools import MadeUpScorer, with_opened
from tools.bench.journey import JourneyRecord

SONGS, CHUNKS, CHUNK_S = 8, 24, 5.0


@pytest.fixture(scope="module")
def generation() -> Generation:
    """Each song is a little faster than the one before: only neighbours are bent to each other."""
    found = made_up(songs=SONGS, chunks=CHUNKS, chunk_s=CHUNK_S, seed=6)
    rows = len(found.index)
    traits = replace(
        found.pool.traits,
        tempo_bpm=np.repeat(100.0 * 1.06 ** np.arange(SONGS), CHUNKS).astype(np.float32),
        beat_confidence=np.ones(rows, dtype=np.float32),
        bar_confidence=np.ones(rows, dtype=np.float32),
        beats_per_bar=np.full(rows, 4, dtype=np.int64),
    )
    return replace(found, pool=replace(found.pool, traits=traits))


def test_the_best_way_leads_over_neighbours(generation: Generation) -> None:
    route = Route.to(5, generation.pool, DoorRanking(generation.pool))
    assert (route.within(0) == np.where(np.arange(SONGS) == 5, 0.0, -np.inf)).all()
    assert (np.diff(route.worths, axis=0)[1:] >= 0).all()
    # One step of tempo each is better than a leap; with too few changes it must be a leap.
    assert route.within(5)[0] > route.within(4)[0] + 1.0
    assert route.within(1)[4] == route.within(MOST_CHANGES)[4]


def reached(generation: Generation, within_s: float, seed: int) -> tuple[float, list[Step]]:
    planner = Planner(generation, PlannerSettings(seed=seed), generation.chunk(2))
    planner.deliver(planner.next())
    goal = generation.pool.songs[4].audio_hash
    planner.steer(Steering(towards=goal, within_s=within_s))
    heard_s, steps = 0.0, []
    while True:
        steps.append(planner.next())
        planner.deliver(steps[-1])
        if steps[-1].chunk.song_index == 4:
            return heard_s, steps
        heard_s += steps[-1].length_s


@pytest.mark.parametrize("within_s", [60.0, 150.0, 400.0])
def test_the_song_is_reached_in_time(generation: Generation, within_s: float) -> None:
    for seed in range(4):
        heard_s, steps = reached(generation, within_s, seed)
        assert heard_s <= within_s
        assert any("song that was asked for" in reason for step in steps for reason in step.reasons)


def test_a_time_without_a_song_is_refused() -> None:
    for wrong in ({"within_s": 60.0}, {"towards": "a", "within_s": -1.0}, {"towards": "a", "within_s": 1e9}):
        with pytest.raises(EndlosError, match="within_s"):
            Steering(**wrong)  # type: ignore[arg-type]
    assert Steering(towards="a", within_s=60.0).judged("a", "muted").within_s is None


def test_whole_songs_are_heard_but_for_seconds(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(seed=1, whole_songs=True))
    record, steps = JourneyRecord(generation), []
    for _ in range(8 * CHUNKS):
        steps.append(planner.next())
        planner.deliver(steps[-1])
        record.take(steps[-1])
    told = record.told()
    assert told["skipped_most_s"] <= 2 * SKIPPED_S
    assert told["changes_of_song"] >= 6 and told["returns_percent"] <= 100.0
    for step in steps[1:]:
        assert step.natural or step.leaves_song


def test_short_songs_are_heard_whole_where_not_every_exit_can_be_scored() -> None:
    made = made_up(songs=12, chunks=6, chunk_s=5.0, seed=6)
    scorer = made.scorer
    assert scorer is not None
    short = with_opened(made, scorer=MadeUpScorer(scorer.score))
    planner = Planner(short, PlannerSettings(seed=1, whole_songs=True))
    record = JourneyRecord(short)
    for _ in range(20 * 6):
        step = planner.next()
        planner.deliver(step)
        record.take(step)
    assert record.told()["skipped_most_s"] <= 2 * SKIPPED_S


def test_a_song_that_is_heard_whole_goes_on_however_lately_it_was_heard(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(seed=1, whole_songs=True), generation.chunk(0))
    for row in [*range(CHUNKS), *range(CHUNKS)]:
        planner.deliver(Step(after=None, chunk=generation.chunk(row), natural=False, rung="start"))
    rows = []
    for _ in range(CHUNKS):
        step = planner.next()
        planner.deliver(step)
        rows.append(step.chunk.row)
    least = CHUNKS - round(LONGEST_OVERLAP_S / CHUNK_S)
    assert rows[:least] == list(range(least))


@pytest.mark.parametrize("wrong", [{"strategy": "random"}, {"walk": True}])
def test_whole_songs_are_for_phrases_of_the_model(wrong: dict[str, object]) -> None:
    with pytest.raises(EndlosError, match="whole songs"):
        PlannerSettings(whole_songs=True, **wrong)  # type: ignore[arg-type]
