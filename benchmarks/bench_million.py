"""This benchmark opens, decides over and serves a pool of a million chunks, and looks for the nearest.

The pool is a real one (`--pool`), again and again with noise; `--keep` is where it stands from one run to the
next (8 GB). With `--peers` usearch and FAISS stand beside our pass over all embeddings, where they are
installed; they are for this table alone: pip install usearch faiss-cpu.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.million_pool import sample_references, write_large_pool
from benchmarks.million_served import memory_mb, served
from benchmarks.record import record
from model.base.arrays import IntArray
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from stream.choosing.generation import Generation, open_generation
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import pool_embeddings
from stream.pool.pool import open_pool
from stream.scoring.settings import ScoringSettings
from tools.bench.journey import JourneyRecord

BUDGETS = {"open_s": 1.0, "decision_p99_ms": 40.0, "phrases_p99_ms": 60.0, "serve_mb": 400.0}
RECALLED = 64
_ALLOWED_S = 3600.0
_WARM_UPS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="a real pool")
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--decisions", type=int, default=200)
    parser.add_argument("--serve-s", type=float, default=40.0)
    parser.add_argument("--keep", type=Path, help="folder for the pool, taken as it is if it is there")
    parser.add_argument("--hours", type=float, default=0.0, help="so many are planned, without any audio")
    parser.add_argument("--peers", action="store_true", help="also usearch and FAISS")
    parser.add_argument("--one", choices=list(_MEASURES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_MEASURES[arguments.one](arguments.pool, arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = arguments.keep or Path(folder) / "pool"
        if not place.is_dir():
            began_s = time.perf_counter()
            write_large_pool(arguments.pool, place, arguments.chunks)
            print(f"written in {time.perf_counter() - began_s:.0f} s", flush=True)
        figures: dict[str, Any] = {}
        asked = {"travelling": arguments.hours > 0, "peers": arguments.peers}
        for name in ("opening", "deciding", *(name for name, wanted in asked.items() if wanted)):
            figures |= _apart(name, place, arguments)
            print(json.dumps(figures), flush=True)
        figures |= served(place, arguments.serve_s)
    for name, most in BUDGETS.items():
        if name in figures:
            print(f"{name}: {figures[name]} (budget {most:g})")
    print(json.dumps(figures, indent=2))
    record("million", {**figures, "budgets": BUDGETS, "load": os.getloadavg()[0]})


def _apart(name: str, pool: Path, asked: argparse.Namespace) -> dict[str, Any]:
    words = [sys.executable, "-m", "benchmarks.bench_million", "--one", name, "--pool", str(pool)]
    done = subprocess.run(
        [*words, "--decisions", str(asked.decisions), "--hours", str(asked.hours)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _opening(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    took_s, cpu_s = [], []
    for _ in range(5):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        pool = open_pool(folder)
        took_s.append(time.perf_counter() - began_s)
        cpu_s.append(time.process_time() - began_cpu_s)
    return {
        "chunks": len(pool),
        "songs": len(pool.songs),
        "open_s": round(float(np.median(took_s)), 3),
        "open_cpu_s": round(float(np.median(cpu_s)), 3),
    }


def _deciding(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    decisions = asked.decisions
    began_s = time.perf_counter()
    scoring = ScoringSettings(model=carried_model())
    generation = open_generation(folder, scoring, engine_rate_hz=44_100)
    opened_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    planner = Planner(generation, PlannerSettings())
    planner.prepare()
    prepared_s = time.perf_counter() - began_s
    alone = _each_alone(generation, decisions)
    stream = _in_phrases(planner, decisions)
    found: dict[str, Any] = {"generation_open_s": round(opened_s, 2), "planner_s": round(prepared_s, 2)}
    for name, took in (("decision", alone), ("phrases", stream)):
        for percent in (50, 99):
            found[f"{name}_p{percent}_ms"] = round(float(np.percentile(took["wall_ms"], percent)), 1)
        found[f"{name}_cpu_p50_ms"] = round(float(np.median(took["cpu_ms"])), 1)
        found[f"{name}_cpu_p99_ms"] = round(float(np.percentile(took["cpu_ms"], 99)), 1)
        found[f"{name}_rungs"] = took["rungs"]
    found["deciding_memory_mb"] = memory_mb(os.getpid())
    generation.close()
    return found


def _each_alone(generation: Generation, decisions: int) -> dict[str, Any]:
    """Decide after chunks at random, one step each: every one is scored."""
    planner = Planner(generation, PlannerSettings(min_phrase_s=0.0))
    references = sample_references(len(generation.pool), decisions + _WARM_UPS).tolist()
    took = []
    for row in references:
        planner.anchor(generation.chunk(row))
        took.append(_step(planner))
    return _summed(took[_WARM_UPS:])


def _in_phrases(planner: Planner, decisions: int) -> dict[str, Any]:
    took: list[tuple[float, float, str]] = []
    while len(took) < _WARM_UPS + decisions:
        decides = not planner.has_decided
        step = _step(planner)
        if decides:
            took.append(step)
    return _summed(took[_WARM_UPS:])


def _step(planner: Planner) -> tuple[float, float, str]:
    began_s = time.process_time()
    step = planner.next(deadline_s=time.monotonic() + _ALLOWED_S)
    cpu_ms = (time.process_time() - began_s) * 1e3
    planner.deliver(step)
    return step.decision_ms, cpu_ms, step.rung


def _summed(took: list[tuple[float, float, str]]) -> dict[str, Any]:
    rungs = [rung for _, _, rung in took]
    return {
        "wall_ms": [wall for wall, _, _ in took],
        "cpu_ms": [cpu for _, cpu, _ in took],
        "rungs": {rung: rungs.count(rung) for rung in dict.fromkeys(rungs)},
    }


def _travelling(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Plan so many hours, as they are heard one step after the other, and return where they led."""
    generation = open_generation(folder, ScoringSettings(model=carried_model()), engine_rate_hz=44_100)
    planner, journey = Planner(generation, PlannerSettings()), JourneyRecord(generation)
    began_s, heard_s = time.process_time(), 0.0
    rungs: Counter[str] = Counter()
    rows: list[int] = []
    own_mb: list[float] = []
    while heard_s < asked.hours * 3600.0:
        step = planner.next(deadline_s=time.monotonic() + _ALLOWED_S)
        planner.deliver(step)
        journey.take(step)
        rungs[step.rung] += 1
        rows.append(step.chunk.row)
        heard_s += step.length_s
        if heard_s >= asked.hours * 3600.0 * (len(own_mb) + 1) / 8:
            own_mb.append(memory_mb(os.getpid())["own"])
    told = {name: value for name, value in journey.told().items() if not name.startswith("term_")}
    generation.close()
    return {
        "travelled": {
            **{name: round(value, 3) for name, value in told.items()},
            "hours": asked.hours,
            "steps": len(rows),
            "chunks_again": len(rows) - len(set(rows)),
            "rungs": dict(rungs),
            "own_mb": own_mb,
            "cpu_s": round(time.process_time() - began_s, 1),
        }
    }


def _peers(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Look for the nearest `RECALLED` by inner product, with ours and with each peer that is installed."""
    pool = open_pool(folder)
    model = carried_model()
    index = pool_embeddings(pool, model, load_contract(model), write=False)
    rows = sample_references(len(pool), asked.decisions)
    values = {
        name: np.asarray(getattr(index, name))[:, : index.width].astype(np.float32)
        * np.asarray(getattr(index, f"{name[:-1]}_scales"))[:, np.newaxis]
        for name in ("predecessors", "successors")
    }
    queries = values["predecessors"][rows]
    truth = [np.argsort(-(values["successors"] @ query), kind="stable")[:RECALLED] for query in queries]
    found: dict[str, Any] = {"ours": _ours(index, rows, truth)}
    for name, build in (("usearch", _usearch), ("faiss HNSW", _faiss), ("faiss flat int8", _faiss_flat)):
        try:
            found[name] = build(values["successors"], queries, truth)
        except ModuleNotFoundError as error:
            found[name] = f"{error.name} is not installed"
    return {"peers": found}


def _looked_up(
    find: Callable[[int], IntArray], truth: list[IntArray], build_s: float, size_mb: float
) -> dict[str, float]:
    took_ms, cpu_ms, recalled = [], [], []
    for number, nearest in enumerate(truth):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        rows = find(number)
        took_ms.append((time.perf_counter() - began_s) * 1e3)
        cpu_ms.append((time.process_time() - began_cpu_s) * 1e3)
        recalled.append(len(np.intersect1d(rows, nearest)) / RECALLED)
    return {
        "recall_at_64": round(float(np.mean(recalled)), 4),
        "p50_ms": round(float(np.median(took_ms)), 2),
        "p99_ms": round(float(np.percentile(took_ms, 99)), 2),
        "cpu_p50_ms": round(float(np.median(cpu_ms)), 2),
        "mb": round(size_mb, 1),
        "build_s": round(build_s, 1),
    }


def _ours(index: EmbeddingIndex, rows: IntArray, truth: list[IntArray]) -> dict[str, float]:
    mask = np.ones(len(index), dtype=np.bool_)
    index.shortlist(0, mask, RECALLED)
    find: Callable[[int], IntArray] = lambda n: index.shortlist(int(rows[n]), mask, RECALLED)[0]  # noqa: E731
    return _looked_up(find, truth, 0.0, index.bytes / 2 / 2**20)


def _usearch(starts: Any, queries: Any, truth: list[IntArray]) -> dict[str, float]:
    from usearch.index import Index

    index = Index(ndim=starts.shape[1], metric="ip", dtype="i8")
    scale = 127.0 / np.abs(starts).max()
    began_s = time.perf_counter()
    index.add(np.arange(len(starts)), np.rint(starts * scale).astype(np.int8), threads=0)
    build_s = time.perf_counter() - began_s
    sought = np.rint(queries * 127.0 / np.abs(queries).max()).astype(np.int8)
    find = lambda n: np.asarray(index.search(sought[n], RECALLED).keys)  # noqa: E731
    return _looked_up(find, truth, build_s, index.memory_usage / 2**20)


def _faiss(starts: Any, queries: Any, truth: list[IntArray]) -> dict[str, float]:
    import faiss

    index = faiss.IndexHNSWFlat(starts.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 128
    return _of_faiss(faiss, index, starts, queries, truth)


def _faiss_flat(starts: Any, queries: Any, truth: list[IntArray]) -> dict[str, float]:
    import faiss

    index = faiss.IndexScalarQuantizer(
        starts.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(starts[:100_000])
    return _of_faiss(faiss, index, starts, queries, truth)


def _of_faiss(faiss: Any, index: Any, starts: Any, queries: Any, truth: list[IntArray]) -> dict[str, float]:
    began_s = time.perf_counter()
    index.add(np.ascontiguousarray(starts))
    build_s = time.perf_counter() - began_s
    faiss.omp_set_num_threads(1)
    find = lambda n: index.search(queries[n : n + 1], RECALLED)[1][0]  # noqa: E731
    return _looked_up(find, truth, build_s, len(faiss.serialize_index(index)) / 2**20)


_MEASURES: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "opening": _opening,
    "deciding": _deciding,
    "travelling": _travelling,
    "peers": _peers,
}

if __name__ == "__main__":
    main()
