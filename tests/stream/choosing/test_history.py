"""A planner that goes on from the memory of another takes the steps that the other would have taken."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from stream.choosing.generation import Generation
from stream.choosing.journey.steering import Steering
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings, Strategy
from stream.choosing.step import Step


@pytest.fixture(scope="module")
def generation() -> Generation:
    return made_up(songs=8, chunks=20, chunk_s=4.0, seed=2)


def go(planner: Planner, steps: int) -> list[Step]:
    gone = []
    for _ in range(steps):
        gone.append(planner.next())
        planner.deliver(gone[-1])
    return gone


def told(steps: list[Step]) -> list[tuple[object, ...]]:
    return [(step.chunk.row, step.natural, step.rung, step.score, step.rank, step.reasons) for step in steps]


@pytest.mark.parametrize("strategy", ["model", "random", "natural"])
@pytest.mark.parametrize("stopped_after", [1, 2, 7, 40, 101])
def test_it_goes_on_as_if_it_had_never_been_stopped(
    generation: Generation, strategy: Strategy, stopped_after: int
) -> None:
    settings = PlannerSettings(strategy=strategy, seed=4)
    whole = go(Planner(generation, settings), stopped_after + 60)
    before = Planner(generation, settings)
    here = go(before, stopped_after)[-1]
    memory = before.memory()
    # What it goes on to do, and with it what it knows, is nothing to the memory.
    go(before, 10)
    after = Planner(generation, replace(settings, seed=99), memory=memory)
    first, *others = go(after, 61)
    assert (first.chunk.row, first.after) == (here.chunk.row, None)
    assert first.reasons == ("it goes on where it stood",)
    assert told(others) == told(whole[stopped_after:])


def test_what_is_planned_ahead_changes_nothing(generation: Generation) -> None:
    settings = PlannerSettings(seed=5)
    whole = go(Planner(generation, settings), 90)
    planner = Planner(generation, settings)
    ready, memories = [], []
    for _ in range(30):
        ready.append(planner.next())
        memories.append(planner.memory())
        if len(ready) > 3:
            planner.deliver(ready.pop(0))
    # Four steps were planned that nobody heard.
    heard = memories[-5]
    _, *others = go(Planner(generation, settings, memory=heard), 61)
    assert told(others) == told(whole[26:86])


def test_it_is_on_its_way_to_a_song_still(generation: Generation) -> None:
    steering = Steering(towards=generation.pool.songs[5].audio_hash)
    settings = PlannerSettings(seed=6)
    whole = go(Planner(generation, settings, steering=steering), 80)
    before = Planner(generation, settings, steering=steering)
    go(before, 6)
    after = Planner(generation, settings, steering=steering, memory=before.memory())
    assert told(go(after, 75)[1:]) == told(whole[6:])


def test_without_its_chunk_it_begins_elsewhere_and_knows_what_was_played(generation: Generation) -> None:
    before = Planner(generation, PlannerSettings(seed=7))
    go(before, 30)
    memory = replace(before.memory(), chunk=None, leaving=None)
    after = Planner(generation, PlannerSettings(seed=7), memory=memory)
    assert after.next().reasons == ()
    history = after.memory().history
    assert history.steps == 31
    assert int(np.count_nonzero(history.plays != memory.history.plays)) == 1
