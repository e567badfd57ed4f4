"""The tally counts what was decided, and remembers for a while what came late."""

from pathlib import Path
from typing import Any

import pytest

from stream.choosing.settings import PlannerSettings
from stream.choosing.step import LATE_MARGIN_S, Step
from stream.engine.decisions import Decision
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.engine.tally import MARGIN_BOUNDS_S, DecisionTally
from stream.joins.settings import SoundSettings
from tests.support.pools import make_generation, make_pool, noise_song


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    pool = make_pool(tmp_path_factory.mktemp("pool"), [noise_song(6.0, seed=0)])
    generation = make_generation(pool)
    return [generation.chunk(row) for row in range(3)]


def decided(chunks: list[Any], rung: str, margin_s: float | None, *, first: bool = False) -> Decision:
    step = Step(
        after=None if first else chunks[0],
        chunk=chunks[1],
        natural=False,
        rung=rung,
        margin_s=margin_s,
        decision_ms=3.0,
    )
    return Decision(
        n=0,
        step=step,
        before=step.after,
        left_at_s=None,
        entered_at_s=0.0,
        t_out_frames=0,
        plan=None,
        jump_frames=None,
        gain_db=0.0,
        settings=SoundSettings(),
        reach_frames=0,
    )


def test_rungs_and_margins_are_counted_and_every_decision_is_passed_on(chunks: list[Any]) -> None:
    passed: list[Decision] = []
    tally = DecisionTally(passed.append)
    assert tally.figures().rung is None
    for rung, margin_s in (("full", 7.5), ("full", 0.5), ("shortlist", 1000.0), ("full", None)):
        tally(decided(chunks, rung, margin_s))
    figures = tally.figures()
    assert len(passed) == 4
    assert figures.by_rung == {"full": 3, "shortlist": 1}
    assert sum(figures.by_margin) == 3
    assert figures.by_margin[MARGIN_BOUNDS_S.index(10.0)] == 1
    assert figures.by_margin[MARGIN_BOUNDS_S.index(0.5)] == 1, "a bound belongs to what is below"
    assert figures.by_margin[-1] == 1
    assert figures.margins_s == 1008.0
    assert (figures.rung, figures.margin_s, figures.decision_ms) == ("full", None, 3.0)
    assert figures.late == 0


def test_late_is_what_was_hardly_ready_or_fell_back_and_only_live(chunks: list[Any]) -> None:
    now_s = 0.0
    tally = DecisionTally(clock=lambda: now_s)
    for rung, margin_s, first, late in (
        ("full", LATE_MARGIN_S, False, 0),
        ("start", 0.0, True, 0),
        ("natural", None, False, 0),
        ("full", 0.19, False, 1),
        ("any", 0.0, False, 2),
        ("nearest", 9.0, False, 3),
    ):
        now_s += 10.0
        tally(decided(chunks, rung, margin_s, first=first))
        assert tally.figures().late == late, rung
    now_s = 75.0
    figures = tally.figures()
    assert [figures.late_within(last_s) for last_s in (10.0, 15.0, 25.0, 60.0)] == [0, 1, 2, 3]


def test_an_engine_counts_its_decisions(tiny_pool: Path) -> None:
    log: list[Decision] = []
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2))
    engine = Engine.open(tiny_pool, settings, on_decision=log.append)
    engine.render(20 * engine.engine_rate_hz)
    assert len(log) > 3
    assert sum(engine.tally.figures().by_rung.values()) == len(log)
    assert len(engine.pool) == 9
    engine.close()
