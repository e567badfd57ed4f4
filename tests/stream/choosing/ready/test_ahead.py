"""Planning ahead never makes the renderer wait for a slow or failing model."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray, IntArray
from model.base.errors import PoolError
from stream.choosing.generation import Generation
from stream.choosing.planner import Planner
from stream.choosing.ready import ahead
from stream.choosing.ready.ahead import Ahead
from stream.choosing.ready.plan_ahead import PlanDepth
from stream.choosing.settings import PlannerSettings
from stream.choosing.step import Step
from tests.support.pools import MadeUpScorer, make_generation, make_pool, noise_song, with_opened
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    made = make_generation(make_pool(tmp_path_factory.mktemp("ahead"), [noise_song(9, 0), noise_song(9, 1)]))
    # Kernels that compile within the first decision would make it late.
    planner = Planner(made, PlannerSettings(min_phrase_s=0.0))
    for _ in range(8):
        planner.deliver(planner.next())
    return made


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_a_hung_model_is_replaced_by_the_natural_successor_then_plans_again(generation: Generation) -> None:
    gate = threading.Event()

    def wait_and_score(reference: int, candidates: IntArray | None) -> FloatArray:
        assert gate.wait(timeout=PATIENCE_S)
        return np.linspace(0, 1, len(generation.index), dtype=np.float32)

    scorer = MadeUpScorer(wait_and_score)
    planner = Planner(with_opened(generation, scorer=scorer), PlannerSettings(min_phrase_s=0.0))
    source = Ahead(planner, depth=PlanDepth(steps=2))
    try:
        step = source.take(None)
        taken = [step]
        for _ in range(8):
            step = source.take(step.chunk)
            taken.append(step)
        rungs = {s.rung for s in taken[1:]}
        assert rungs == {"natural", "any"}
        gate.set()
        # What took long is not dared at once again, for the longer the slower this machine is.
        deadline = time.monotonic() + PATIENCE_S
        while step.rung != "full":
            assert time.monotonic() < deadline, "the model was never asked again"
            wait_until(lambda: source.peek() is not None)
            before, step = step, source.take(step.chunk)
            assert step.after is before.chunk
    finally:
        gate.set()
        source.close()


@pytest.mark.parametrize("error", [RuntimeError("boom"), PoolError("the disk is gone for a moment")])
@pytest.mark.parametrize("where", ["preparing", "planning"])
def test_planning_that_fails_is_tried_again_and_told_once(
    generation: Generation,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: Exception,
) -> None:
    monkeypatch.setattr(ahead, "RETRY_S", 0.01)
    failures = iter([error] * (1 if where == "preparing" else 3))

    def fail() -> None:
        failure = next(failures, None)
        if failure is not None:
            raise failure

    class Failing(Planner):
        def next(self, *, leave: bool = False, deadline_s: float | None = None) -> Step:
            if deadline_s is not None and where == "planning":
                fail()
            return super().next(leave=leave, deadline_s=deadline_s)

    planner = Failing(generation, PlannerSettings(strategy="random"))
    source = Ahead(planner, depth=PlanDepth(steps=2), prepare=fail if where == "preparing" else None)
    try:
        step = source.take(None)
        wait_until(lambda: source.peek() is not None)
        assert source.take(step.chunk).rung == "random"
    finally:
        source.close()
    assert sum("planning failed" in record.getMessage() for record in caplog.records) == 1


def test_a_newer_generation_is_taken_up_while_playing(generation: Generation, tmp_path: Path) -> None:
    songs = [noise_song(9, 0), noise_song(9, 1), noise_song(9, 2)]
    newer = [make_generation(make_pool(tmp_path, songs))]
    planner = Planner(generation, PlannerSettings(strategy="random"))
    source = Ahead(planner, depth=PlanDepth(steps=2), refresh=lambda: newer.pop() if newer else None)
    try:
        step = source.take(None)
        deadline = time.monotonic() + PATIENCE_S
        while step.chunk.song_index != 2:
            assert time.monotonic() < deadline
            wait_until(lambda: source.peek() is not None)
            step = source.take(step.chunk)
    finally:
        source.close()
