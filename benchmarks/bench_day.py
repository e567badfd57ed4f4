"""This benchmark renders a day of stream without a clock, and looks each hour at what the process holds."""

import argparse
import os
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.record import record
from stream.choosing.settings import PlannerSettings
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from tools.bench.process import Burden
from tools.bench.settings import BenchSettings
from tools.bench.source import about, bench_pool

_BLOCK_FRAMES = 8192
_HOUR_S = 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", nargs="?", type=Path, help="a pool; else that of the demo songs")
    parser.add_argument("--hours", type=int, default=24)
    asked = parser.parse_args()
    settings = BenchSettings(pool=bench_pool(asked.pool))
    engine = Engine.open(settings.pool, EngineSettings(planner=PlannerSettings(seed=0)))
    began_s, held = time.process_time(), []
    try:
        for hour in range(1, asked.hours + 1):
            while engine.now().time_s < hour * _HOUR_S:
                engine.render(_BLOCK_FRAMES)
            held.append(Burden.of(os.getpid()))
            print(f"hour {hour:2d}: {held[-1]}", flush=True)
        lost = engine.now().lost
    finally:
        engine.close()
    figures = {
        "hours": asked.hours,
        "lost": lost,
        "cpu_s_an_hour": (time.process_time() - began_s) / asked.hours,
        "each_hour": [asdict(each) for each in held],
    }
    record("day", {**about(settings), **figures})


if __name__ == "__main__":
    main()
