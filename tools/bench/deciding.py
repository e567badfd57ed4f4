"""This measurement times decisions for each approach and each number of candidates.

A decision is the planner's, all included: repeat rules, scores of every candidate, every term, the draw, the
guard around the scorer. Every reference is one whose scores are not known yet, but where the rows are
precomputed. Where several exits of a phrase are scored at once, a stream with phrases is measured, too.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from model.base.arrays import IntArray
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from model.saved.scoring import EMBEDDED
from stream.audio.spans import SpanReader
from stream.choosing.generation import Generation
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.doors.door import JoinKind
from stream.index.edge_index import EdgeIndex
from stream.index.vectors import pool_embeddings
from stream.pool.pool import Pool, open_pool
from stream.scoring.guard import GuardedScorer
from stream.scoring.opening import Opened, open_scorer, vector_scorer
from stream.scoring.scorer import Scorer
from stream.scoring.settings import ScoringSettings
from stream.scoring.split_scorer import SplitScorer
from tools.bench.figures import Figure, quantile_figure
from tools.bench.settings import BenchSettings
from tools.pools.resized import resized

_QUESTION = "decisions"
SIZES = (100, 1_800, 10_000)
BUDGETED_SIZE = 1_800
BINARY_MODEL = "binary-fast"
"""The carried model that every other one is measured beside."""
_THREADS = 2
_PLENTY_S = 3600.0
_WARM_UPS = 2
_FEWEST = 3
_PHRASE_WARM_UPS = 30
_LIMIT_S = 30.0
"""A case that takes longer is left with fewer references, and says so."""
_EXACT_EDGE_SAMPLES = 440
_EXACT_FILTERS, _EXACT_UNITS = 1024, 256


@dataclass(frozen=True, kw_only=True)
class DecisionCase:
    """Something that scores, and how it is budgeted over 1,800 candidates."""

    name: str
    edge_samples: int
    open: Callable[[Pool], Opened]
    p99_at_most_ms: float | None
    repeats: int
    rungs: bool = False
    """Whether the rungs below a full score are measured beside it: known rows, and spectral distance."""
    phrases: bool = False
    """Whether exits are scored ahead, several for one step, so that a stream is measured beside it."""
    note: str = ""


def measure_decisions(settings: BenchSettings) -> list[Figure]:
    """Measure every approach that there is a model for, over each number of candidates."""
    approaches = [carried(settings), exact(settings)]
    if (settings.model or carried_model()) != carried_model(BINARY_MODEL):
        approaches.insert(1, carried_binary(settings))
    return decisions(settings, approaches)


def decisions(settings: BenchSettings, approaches: Sequence[DecisionCase]) -> list[Figure]:
    """Measure some approaches over each number of candidates."""
    pool = open_pool(settings.pool)
    figures = []
    sizes = SIZES[:2] if settings.quick else SIZES
    with tempfile.TemporaryDirectory(prefix="endlos-bench-") as folder:
        for approach in approaches:
            for size in sizes:
                settings.notice(f"decisions, {approach.name}, {size:,} candidates")
                smaller = resized(pool, size, Path(folder), approach.edge_samples)
                origin = "" if size <= len(pool) else f"{len(pool):,} chunks, repeated"
                figures += _measured(approach, smaller, settings, origin)
    return figures


def carried(settings: BenchSettings) -> DecisionCase:
    """Return the carried model, or the one that was asked for."""
    model = settings.model or carried_model()
    name = "carried model" if settings.model is None else f"model {model.name}"
    if load_contract(model).scoring in EMBEDDED:
        return replace(_vectors(model, settings), name=name)
    at_most_ms = settings.budgets.carried_p99_ms if settings.model is None else None
    return replace(_pairs(model, settings), name=name, p99_at_most_ms=at_most_ms)


def carried_binary(settings: BenchSettings) -> DecisionCase:
    """Return the carried model that scores every pair."""
    return _pairs(carried_model(BINARY_MODEL), settings)


def _vectors(model: Path, settings: BenchSettings) -> DecisionCase:
    pool = open_pool(settings.pool)
    return DecisionCase(
        name=f"model {model.name}",
        edge_samples=load_contract(model).edge_samples,
        open=partial(_open_vectors, model, pool),
        p99_at_most_ms=settings.budgets.embedded_p99_ms,
        repeats=settings.repeats(1000, 8),
        phrases=True,
        note="embeddings at hand",
    )


def _open_vectors(model: Path, pool: Pool, resized_pool: Pool) -> Opened:
    """Open a model for a pool that was made of `pool`, whose vectors are repeated as its chunks are."""
    contract = load_contract(model)
    embeddings = pool_embeddings(pool, model, contract, threads=_THREADS)
    rows = np.arange(len(resized_pool)) % len(pool)
    repeated = embeddings.take(rows)
    return Opened(
        index=EdgeIndex.from_pool(resized_pool, contract.edge_samples),
        scorer=vector_scorer(repeated, resized_pool, model, contract),
        vectors=repeated,
        textures=resized_pool.textures,
    )


def _pairs(model: Path, settings: BenchSettings) -> DecisionCase:
    return DecisionCase(
        name=f"model {model.name}",
        edge_samples=load_contract(model).edge_samples,
        open=partial(_open_pairs, model),
        p99_at_most_ms=settings.budgets.carried_p99_ms,
        repeats=settings.repeats(200, 8),
        rungs=True,
    )


def _open_pairs(model: Path, pool: Pool) -> Opened:
    opened = open_scorer(pool, ScoringSettings(model=model, threads=_THREADS, precomputed=False))
    return replace(opened, textures=None)


def exact(settings: BenchSettings) -> DecisionCase:
    """Return the report's network."""
    return DecisionCase(
        name="report's network, exact",
        edge_samples=_EXACT_EDGE_SAMPLES,
        open=_open_exact,
        p99_at_most_ms=settings.budgets.exact_p99_ms,
        repeats=settings.repeats(40, 2),
        note="weights made up: they do not change the work",
    )


def _measured(approach: DecisionCase, pool: Pool, settings: BenchSettings, origin: str) -> list[Figure]:
    rng = np.random.default_rng(0)
    count = min(approach.repeats, len(pool) - _WARM_UPS)
    references = rng.permutation(len(pool))[: count + _WARM_UPS]
    opened = approach.open(pool)
    guarded = GuardedScorer(_scorer(opened), lambda: _scorer(approach.open(pool)))
    generation = Generation(pool=pool, opened=replace(opened, scorer=guarded), reader=SpanReader(pool))
    budgeted = len(pool) == BUDGETED_SIZE
    embedded_ms = settings.budgets.embedded_p99_ms if budgeted else None
    try:
        nearest_ms = decide_ms(generation, references, left_s=0.0, rung="nearest") if approach.rungs else []
        full_ms = decide_ms(generation, references, left_s=_PLENTY_S, rung="full")
        # What has been scored now: its rows are kept.
        references = references[: _WARM_UPS + len(full_ms)]
        known_ms = decide_ms(generation, references, left_s=_PLENTY_S, rung="full")
        stream_ms = decide_in_phrases_ms(generation, settings.repeats(1000, 50)) if approach.phrases else []
    finally:
        generation.close()
    size = f"{len(pool):,} candidates"
    note = "; ".join(filter(None, (f"{len(full_ms)} references", origin, approach.note)))
    named = partial(quantile_figure, _QUESTION, unit="ms")
    full_at_most = approach.p99_at_most_ms if budgeted else None
    figures = [named(f"{approach.name}, {size}", values=full_ms, p99_at_most=full_at_most, note=note)]
    if approach.phrases:
        note = f"{len(stream_ms)} decisions of a stream; up to two exits are scored for one"
        name = f"{approach.name}, in phrases, {size}"
        figures.append(named(name, values=stream_ms, p99_at_most=full_at_most, note=note))
    if approach.rungs:
        figures += [
            named(f"rows precomputed, {size}", values=known_ms, p99_at_most=embedded_ms),
            named(f"band levels alone, {size}", values=nearest_ms, p99_at_most=embedded_ms),
        ]
    return figures


def _scorer(opened: Opened) -> Scorer:
    assert opened.scorer is not None  # every case scores
    return opened.scorer


def decide_ms(
    generation: Generation, references: IntArray, *, left_s: float, rung: str, limit_s: float = _LIMIT_S
) -> list[float]:
    """Return how long the planner takes for a step after each reference but the first `_WARM_UPS`.

    There are fewer values than references when they would take longer than `limit_s`.
    left_s: the time that it is given. rung: the rung of the ladder on which every step must be decided.
    """
    # No phrases: every step is to be scored.
    planner = Planner(generation, PlannerSettings(min_phrase_s=0.0))
    took_ms: list[float] = []
    began_s = time.monotonic()
    for row in references.tolist():
        if len(took_ms) >= _WARM_UPS + _FEWEST and time.monotonic() - began_s > limit_s:
            break
        planner.anchor(generation.chunk(row))
        step = planner.next(deadline_s=time.monotonic() + left_s)
        planner.deliver(step)
        while step.natural and not planner.has_decided:
            # Nothing was decided: a song in which the one before still sounds is not left yet.
            step = planner.next(deadline_s=time.monotonic() + left_s)
            planner.deliver(step)
        if step.door is not None and step.door.kind is JoinKind.GAPLESS:
            # An album goes on: nothing was decided.
            continue
        decision_ms = step.decision_ms
        while planner.has_decided:
            # The join comes later, and says there how it was decided.
            step = planner.next()
            planner.deliver(step)
        if step.rung != rung:
            raise RuntimeError(f"a step was decided on rung {step.rung!r}, expected {rung!r}: {step.reasons}")
        took_ms.append(decision_ms)
    return took_ms[_WARM_UPS:]


def decide_in_phrases_ms(generation: Generation, decisions: int) -> list[float]:
    """Return how long the planner takes for each of so many decisions of a stream, warmed up before.

    A step that carries out what was decided before is none.
    """
    planner = Planner(generation, PlannerSettings())
    took_ms: list[float] = []
    while len(took_ms) < _PHRASE_WARM_UPS + decisions:
        decides = not planner.has_decided
        step = planner.next(deadline_s=time.monotonic() + _PLENTY_S)
        planner.deliver(step)
        if decides:
            took_ms.append(step.decision_ms)
    return took_ms[_PHRASE_WARM_UPS:]


def _open_exact(pool: Pool) -> Opened:
    """Return the report's network with random weights of the size that training begins with."""
    rng = np.random.default_rng(0)
    index = EdgeIndex.from_pool(pool, _EXACT_EDGE_SAMPLES)
    gates = 4 * _EXACT_UNITS
    shapes = {
        "linear": (4, gates),
        "bends": (_EXACT_FILTERS + 1, 2, gates),
        "recurrent": (_EXACT_UNITS, gates),
        "output": (_EXACT_EDGE_SAMPLES - 1, _EXACT_UNITS),
    }
    tensors = {name: rng.normal(0.0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["bounds"] = np.sort(rng.uniform(0.0, 2.0, _EXACT_FILTERS)).astype(np.float32)
    tensors["constant"] = np.zeros(1, dtype=np.float32)
    return Opened(scorer=SplitScorer(tensors, index, threads=_THREADS), index=index)
