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

from benchmarks.million_peers import peers
from benchmarks.million_pool import sample_references, write_large_pool
from benchmarks.million_served import memory_mb, served
from benchmarks.record import record
from model.saved.carried import carried_model
from stream.choosing.generation import Generation, open_generation
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.pool.pool import open_pool
from stream.scoring.settings import ScoringSettings
from tools.bench.journey import JourneyRecord

BUDGETS = {"open_s": 1.0, "decision_p99_ms": 40.0, "phrases_p99_ms": 60.0, "serve_mb": 400.0}
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
    parser.add_argument("--peer-chunks", type=int, nargs="+", default=[100_000, 300_000, 10**9])
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
        [
            *(*words, "--decisions", str(asked.decisions), "--hours", str(asked.hours)),
            *("--peer-chunks", *map(str, asked.peer_chunks)),
        ],
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
    return {"peers": peers(folder, asked.decisions, asked.peer_chunks)}


_MEASURES: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "opening": _opening,
    "deciding": _deciding,
    "travelling": _travelling,
    "peers": _peers,
}

if __name__ == "__main__":
    main()
