"""This measurement simulates hours of stream on a virtual clock, for late decisions and growing memory.

The real planner, model and renderer do the work; each decision and each block is charged the wall time that
it really took. Whoever else uses the machine makes the figures worse, never better.
"""

import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import FloatArray
from model.saved.carried import carried_model
from stream.audio.spans import SpanReader
from stream.choosing.generation import open_generation
from stream.choosing.planner import Planner
from stream.choosing.ready.plan_ahead import PlanDepth
from stream.choosing.settings import PlannerSettings
from stream.engine.renderer import Renderer
from stream.engine.settings import EngineSettings
from stream.engine.warm_up import first_score, warm_up
from stream.joins.join_planner import JoinPlanner
from stream.joins.settings import SoundSettings
from stream.scoring.settings import ScoringSettings
from tools.bench.figures import Figure, missing, quantiles, spread_figure
from tools.bench.isolated import run_isolated
from tools.bench.journey import JourneyRecord, journey_figures
from tools.bench.process import anonymous_mb, resident_mb
from tools.bench.settings import BenchSettings
from tools.bench.virtual import Taken, VirtualCard, VirtualSteps

HOUR, DAY = "hour", "day"
FIRST_RUNG = ("start", "phrase", "rules", "full", "kept")
"""Rungs by rule, or with the scores of all candidates; every other rung is a step down."""
_RATE_HZ = 44_100
_REHEARSED_STEPS = 3
_BLOCK_FRAMES = 1024
_DAY_BLOCK_FRAMES = 8192
# As the sound card has them.
_RING_S, _PREFILL_S = 0.75, 0.2
_FADE_S, _TARGET_LUFS = 0.5, -16.0
_AFTER_START_S = 10.0


def measure_hour(settings: BenchSettings) -> list[Figure]:
    """Simulate an hour of stream, audio and all."""
    hours = 0.05 if settings.quick else 1.0
    settings.notice(f"{hours:g} simulated hours, rendered")
    told = run_isolated(
        "tools.bench.simulation:simulate", pool=settings.pool, model=settings.model, hours=hours, silent=False
    )
    budgets = settings.budgets
    note = (
        f"{told['decisions']} decisions over {told['chunks']} chunks in {hours:g} h, simulated in "
        f"{told['took_s']:.0f} s; rungs: {', '.join(f'{n} {rung}' for rung, n in told['rungs'].items())}"
    )
    return [
        Figure(
            question=HOUR,
            name="decisions on the first rung",
            unit="%",
            value=told["first_rung_percent"],
            at_least=budgets.least_first_rung_percent,
            note=note,
        ),
        Figure(
            question=HOUR,
            name="late decisions",
            unit="",
            value=told["late"],
            at_most=budgets.late_decisions,
        ),
        Figure(
            question=HOUR,
            name="frames of underrun",
            unit="",
            value=told["underrun_frames"],
            at_most=budgets.underruns,
            note=f"blocks of {_BLOCK_FRAMES} frames into a ring of {_RING_S} s",
        ),
        Figure(
            question=HOUR,
            name="block, slowest",
            unit="ms",
            value=told["slowest_block_ms"],
            note="a block that opens songs for a join",
        ),
        Figure(question=HOUR, name="decision margin, smallest", unit="ms", value=told["margin_min_ms"]),
        Figure(question=HOUR, name="decision margin, p1", unit="ms", value=told["margin_p1_ms"]),
        Figure(
            question=HOUR,
            name="margin before another song, p1",
            unit="s",
            value=told["blend_margin_p1_s"],
            at_least=budgets.least_blend_margin_s,
        ),
        Figure(question=HOUR, name="decision margin, p50", unit="ms", value=told["margin_p50_ms"]),
        spread_figure(HOUR, "scored decision", "ms", told["scored_ms"]),
        *_resident(HOUR, settings, told),
        *journey_figures(HOUR, settings.budgets, told["journey"]),
    ]


def measure_day(settings: BenchSettings) -> list[Figure]:
    """Simulate a day of stream, whose audio is silence: all decisions and joins, no decoding."""
    hours = 0.5 if settings.quick else 24.0
    settings.notice(f"{hours:g} simulated hours, silent")
    told = run_isolated(
        "tools.bench.simulation:simulate", pool=settings.pool, model=settings.model, hours=hours, silent=True
    )
    samples = told["resident_mb"]
    if samples[-1] is None:
        return [missing(DAY, "resident memory", "this system does not tell it")]
    half = samples[len(samples) // 2]
    note = (
        f"{told['decisions']} decisions in {hours:g} simulated hours, simulated in {told['took_s']:.0f} s"
        f"{_own(told)}"
    )
    return [
        Figure(
            question=DAY,
            name="resident memory at the end",
            unit="MB",
            value=samples[-1],
            at_most=settings.budgets.resident_mb,
            note=note,
        ),
        Figure(
            question=DAY,
            name="growth in its second half",
            unit="MB",
            value=samples[-1] - half,
            at_most=settings.budgets.day_growth_mb,
            note=f"{samples[0]:.0f} MB after the start, {half:.0f} MB at the half",
        ),
        Figure(question=DAY, name="late decisions", unit="", value=told["late"], at_most=0.0),
        *journey_figures(DAY, settings.budgets, told["journey"]),
    ]


def _resident(question: str, settings: BenchSettings, told: dict[str, Any]) -> list[Figure]:
    samples = told["resident_mb"]
    if samples[-1] is None:
        return [missing(question, "resident memory", "this system does not tell it")]
    return [
        Figure(
            question=question,
            name=name,
            unit="MB",
            value=value,
            at_most=settings.budgets.resident_mb,
            note=f"{told['chunks']} chunks, without an output{own}",
        )
        for name, value, own in (
            ("resident memory after the start", samples[0], ""),
            ("resident memory at the end", samples[-1], _own(told)),
        )
    ]


def _own(told: dict[str, Any]) -> str:
    own_mb = told["anonymous_mb"]
    return "" if own_mb is None else f"; {own_mb:.0f} MB its own, the rest pages of files"


class _SilentReader(SpanReader):
    """Songs whose audio is silence."""

    def read(self, song: int, start: int, stop: int, *, passing: bool = False) -> FloatArray:
        """Return zeros."""
        return np.zeros((stop - start, 2), dtype=np.float32)

    def check(self, chunk: int) -> None:
        """All is well."""


class Record:
    """What came of the steps of a stream, small enough not to be seen in its memory."""

    def __init__(self) -> None:
        self._rungs: Counter[str] = Counter()
        self._margins_ms = array("d")
        self._scored_ms = array("d")
        self._blend_margins_s = array("d")

    def take(self, taken: Taken) -> None:
        """Count a step."""
        step = taken.step
        self._rungs[step.rung] += 1
        if step.after is not None:
            # The first step is there before the stream begins.
            self._margins_ms.append(taken.margin_s * 1e3)
        if step.leaves_song:
            self._blend_margins_s.append(taken.margin_s)
        if step.considered > 1:
            self._scored_ms.append(taken.took_s * 1e3)

    def told(self) -> dict[str, object]:
        """Return plain values."""
        decisions = self._rungs.total()
        first = sum(self._rungs[rung] for rung in FIRST_RUNG)
        margins_ms = np.asarray(self._margins_ms)
        return {
            "decisions": decisions,
            "rungs": dict(self._rungs.most_common()),
            "first_rung_percent": 100.0 * first / decisions,
            "late": int(np.count_nonzero(margins_ms < 0)),
            "margin_min_ms": float(margins_ms.min()),
            "margin_p1_ms": float(np.percentile(margins_ms, 1, method="lower")),
            "margin_p50_ms": float(np.median(margins_ms)),
            "blend_margin_p1_s": _lowest_percent(self._blend_margins_s),
            "scored_ms": quantiles(self._scored_ms),
        }


def _lowest_percent(values: "array[float]") -> float:
    return float(np.percentile(values, 1, method="lower")) if len(values) else float("nan")


def simulate(
    pool: str,
    model: str | None,
    hours: float,
    silent: bool,
    seed: int = 0,
    samples: int = 24,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, object]:
    """Run the stream for `hours` of virtual time and return what happened; in a process of its own.

    clock: seconds, by which decisions and blocks are charged.
    """
    began_s = time.perf_counter()
    scoring = ScoringSettings(model=Path(model) if model else carried_model(), guarded=True)
    generation = open_generation(Path(pool), scoring, engine_rate_hz=_RATE_HZ)
    if silent:
        generation.reader.close()
        generation = replace(generation, reader=_SilentReader(generation.pool, _RATE_HZ))
    assert generation.scorer is not None
    # As the engine does before it plays; a kernel that is compiled for once says nothing of margins.
    warm_up(generation)
    first_score(generation.scorer)
    rehearsed = Planner(generation, PlannerSettings(seed=seed))
    for _ in range(_REHEARSED_STEPS):
        rehearsed.deliver(rehearsed.next(leave=True))
    card = VirtualCard(
        rate_hz=_RATE_HZ,
        ring_frames=round(_RING_S * _RATE_HZ),
        prefill_frames=round(_PREFILL_S * _RATE_HZ),
    )
    record, journey = Record(), JourneyRecord(generation)

    def took(taken: Taken) -> None:
        record.take(taken)
        journey.take(taken.step)

    steps = VirtualSteps(
        Planner(generation, PlannerSettings(seed=seed)),
        depth=PlanDepth(steps=EngineSettings.plan_ahead, seconds=EngineSettings.plan_ahead_s),
        now_s=lambda: card.now_s,
        each=took,
        clock=clock,
    )
    renderer = Renderer(
        steps,
        JoinPlanner(SoundSettings(engine_rate_hz=_RATE_HZ, fade_s=_FADE_S, target_lufs=_TARGET_LUFS)),
        on_decision=lambda decision: None,
    )
    block_frames = _DAY_BLOCK_FRAMES if silent else _BLOCK_FRAMES
    total_s = hours * 3600.0
    looks_s = [_AFTER_START_S, *np.linspace(0.0, total_s, samples + 1)[1:].tolist()]
    resident: list[float | None] = []
    slowest_s = 0.0
    while renderer.time_frames < total_s * _RATE_HZ:
        card.wait_for_room(block_frames)
        began, planned_s = clock(), steps.planner.spent_s
        renderer.render(block_frames)
        # Planning runs in this thread here and in another one live.
        took_s = clock() - began - (steps.planner.spent_s - planned_s)
        card.write(block_frames, took_s)
        slowest_s = max(slowest_s, took_s)
        if renderer.time_frames >= looks_s[len(resident)] * _RATE_HZ:
            resident.append(resident_mb())
    anonymous = anonymous_mb()
    generation.close()
    return {
        **record.told(),
        "journey": journey.told(),
        "chunks": len(generation.pool),
        "underrun_frames": card.underrun_frames,
        "slowest_block_ms": slowest_s * 1e3,
        "resident_mb": resident,
        "anonymous_mb": anonymous,
        "took_s": time.perf_counter() - began_s,
    }
