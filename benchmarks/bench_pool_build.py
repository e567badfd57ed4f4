"""This benchmark times the build of a pool in processor seconds, by stage and against an earlier commit."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from tools.demo.songs import write_demo_songs
from tools.pools.build import build_pool
from tools.pools.report import BuildProgress, BuildReport
from tools.pools.settings import BuildSettings

BUDGET_PER_CORE = 30
"""Multiple of real time that one core must reach."""
BUDGET_MIB = 700e6 / 2**20
"""700 MB, of two jobs and what starts them, on ordinary songs, whatever these are."""
REPOSITORY = Path(__file__).resolve().parents[1]
MUSIC = REPOSITORY.parent / "shared" / "music" / "library"
_STAGED = Path(__file__).with_name("staged_build.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", nargs="?", type=Path, default=MUSIC, help="folder of songs")
    parser.add_argument("--every", type=int, default=4, help="take every n-th song (1: all of them)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--against", metavar="COMMIT", help="an earlier commit, built side by side")
    parser.add_argument("--repeats", type=int, default=3, help="of the comparison")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        songs = _songs(arguments.music, work)[:: arguments.every]
        # Warm-up: kernels are compiled and cached by the first song ever.
        build_pool(songs[:1], work / "warm", BuildSettings(jobs=1))
        stages = _staged(REPOSITORY, work / "stages", songs)
        _print_stages(stages)
        rows = [_timed(songs, work / str(jobs), jobs) for jobs in arguments.jobs]
        again, _ = _build(songs, work / str(arguments.jobs[0]), arguments.jobs[0])
        assert again.analysed == 0
        print(f"unchanged: {again.elapsed_s:.2f} s for {again.songs} songs")
        print(f"budget: at least {BUDGET_PER_CORE} times real time per core (CPU second)")
        memory_mib = _peak_memory_mib(songs, work / "memory")
        print(f"memory: {memory_mib:.0f} MiB with two jobs, budget {BUDGET_MIB:.0f} MiB")
        against = _compare(arguments.against, songs, work, arguments.repeats) if arguments.against else None
    record(
        "pool_build",
        {
            "builds": rows,
            "unchanged_s": round(again.elapsed_s, 3),
            "budget_per_core": BUDGET_PER_CORE,
            "stages_cpu_s": {name: round(cpu_s, 3) for name, cpu_s in stages["stages_cpu_s"].items()},
            "peak_memory_mib": round(memory_mib),
            "against": against,
        },
    )


def _timed(songs: list[Path], out: Path, jobs: int) -> dict[str, object]:
    cpu_s = _cpu_s()
    report, first_s = _build(songs, out, jobs)
    cpu_s = _cpu_s() - cpu_s
    ratio = report.analysed_s / report.elapsed_s
    print(
        f"{jobs} jobs: {report.songs} songs, {report.analysed_s:.0f} s of audio in {report.elapsed_s:.1f} s: "
        f"{ratio:.1f} x real time, {report.analysed_s / cpu_s:.1f} x for each CPU second; first song after "
        f"{first_s:.2f} s"
    )
    return {
        "jobs": jobs,
        "songs": report.songs,
        "chunks": report.chunks,
        "failed": len(report.failed),
        "audio_s": round(report.analysed_s, 1),
        "elapsed_s": round(report.elapsed_s, 2),
        "x_real_time": round(ratio, 1),
        "cpu_s": round(cpu_s, 2),
        "x_real_time_per_cpu_s": round(report.analysed_s / cpu_s, 1),
        "first_song_playable_s": round(first_s, 2),
        "decoded_mib": round(report.decoded_bytes / 2**20, 1),
    }


def _staged(tree: Path, out: Path, songs: list[Path]) -> dict[str, Any]:
    """Build by the code of a tree, in a process of its own; return what `staged_build.py` prints."""
    words = [sys.executable, str(_STAGED), str(out), *map(str, songs)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(words, cwd=tree, env=environment, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _compare(commit: str, songs: list[Path], work: Path, repeats: int) -> dict[str, Any]:
    """Build by turns as now and as in another commit; print and return stages and ratio, by medians."""
    tree = work / "before"
    subprocess.run(["git", "worktree", "add", "--detach", str(tree), commit], cwd=REPOSITORY, check=True)
    runs: dict[str, list[dict[str, Any]]] = {"before": [], "now": []}
    try:
        for turn in range(repeats):
            for name, place in (("before", tree), ("now", REPOSITORY)):
                runs[name].append(_staged(place, work / f"{name}{turn}", songs))
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=REPOSITORY, check=True)
    stages = {
        stage: {name: _median(run["stages_cpu_s"][stage] for run in of) for name, of in runs.items()}
        for stage in runs["now"][0]["stages_cpu_s"]
    }
    ratios = [before["cpu_s"] / now["cpu_s"] for before, now in zip(*runs.values(), strict=True)]
    before_s, now_s = (_median(run["cpu_s"] for run in of) for of in runs.values())
    print(f"{'processor seconds':>24} {commit[:7]:>8} {'now':>8}")
    for stage, took_s in {**stages, "in all": {"before": before_s, "now": now_s}}.items():
        print(f"{stage:>24} {took_s['before']:>8.2f} {took_s['now']:>8.2f}")
    print(f"{_median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")
    return {
        "commit": commit,
        "ratio": _median(ratios),
        "ratios": ratios,
        "cpu_s": {name: [run["cpu_s"] for run in of] for name, of in runs.items()},
        "stages_cpu_s": stages,
    }


def _median(values: Iterable[float]) -> float:
    return round(float(np.median(list(values))), 3)


def _print_stages(figures: dict[str, Any]) -> None:
    for stage, cpu_s in figures["stages_cpu_s"].items():
        print(f"{stage:>24} {cpu_s:>8.2f} s {100 * cpu_s / figures['cpu_s']:>4.0f} %")


def _songs(music: Path, work: Path) -> list[Path]:
    if not music.is_dir():
        return write_demo_songs(work / "demo")
    return sorted(path for path in music.rglob("*") if path.is_file())


def _cpu_s() -> float:
    """Return the processor time of this process and its ended children: steady where others work too."""
    return sum(os.times()[:4])


def _peak_memory_mib(songs: list[Path], out: Path) -> float:
    """Return what the processes of a build by two jobs hold at most, shared pages once; 0 off Linux."""
    words = ["pool", "build", *map(str, songs), "--out", str(out), "--jobs", "2", "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "tools.cli", *words], cwd=REPOSITORY)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(_held_mib, [process.pid, *_children(process.pid)])))
        time.sleep(0.1)
    return peak


def _children(process: int) -> list[int]:
    with suppress(OSError):
        direct = [
            int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
        return direct + [below for child in direct for below in _children(child)]
    return []


def _held_mib(process: int) -> float:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024
    return 0.0


def _build(songs: list[Path], out: Path, jobs: int) -> tuple[BuildReport, float]:
    """Build, and return the report and when the first generation could be played, in seconds."""
    started_s = time.perf_counter()
    first_s: list[float] = []

    def look(progress: BuildProgress) -> None:
        if progress.generation is not None and not first_s:
            first_s.append(time.perf_counter() - started_s)

    report = build_pool(songs, out, BuildSettings(jobs=jobs), look)
    return report, first_s[0]


if __name__ == "__main__":
    main()
