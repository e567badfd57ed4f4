"""This benchmark times the build of a pool against real time, and the build of an unchanged pool."""

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.record import record
from tools.demo.songs import write_demo_songs
from tools.pools.build import build_pool
from tools.pools.report import BuildProgress, BuildReport
from tools.pools.settings import BuildSettings

BUDGET_PER_CORE = 30
"""Multiple of real time that one core must reach."""
MUSIC = Path(__file__).resolve().parents[2] / "shared" / "music" / "library"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", nargs="?", type=Path, default=MUSIC, help="folder of songs")
    parser.add_argument("--every", type=int, default=4, help="take every n-th song (1: all of them)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        songs = _songs(arguments.music, work)[:: arguments.every]
        # Warm-up: kernels are compiled and cached by the first song ever.
        build_pool(songs[:1], work / "warm", BuildSettings(jobs=1))
        print(f"{'jobs':>4} {'songs':>5} {'audio':>8} {'took':>8} {'x real':>7} {'per CPU':>8} {'first':>7}")
        rows = []
        for jobs in arguments.jobs:
            cpu_s = _cpu_s()
            report, first_s = _build(songs, work / str(jobs), jobs)
            cpu_s = _cpu_s() - cpu_s
            ratio = report.analysed_s / report.elapsed_s
            rows.append(
                {
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
            )
            print(
                f"{jobs:>4} {report.songs:>5} {report.analysed_s:>7.0f}s {report.elapsed_s:>7.1f}s "
                f"{ratio:>6.1f}x {report.analysed_s / cpu_s:>7.1f}x {first_s:>6.2f}s"
            )
        again, _ = _build(songs, work / str(arguments.jobs[0]), arguments.jobs[0])
        assert again.analysed == 0
        print(f"unchanged: {again.elapsed_s:.2f} s for {again.songs} songs")
        print(f"budget: at least {BUDGET_PER_CORE} times real time per core (CPU second)")
    record(
        "pool_build",
        {"builds": rows, "unchanged_s": round(again.elapsed_s, 3), "budget_per_core": BUDGET_PER_CORE},
    )


def _songs(music: Path, work: Path) -> list[Path]:
    if not music.is_dir():
        return write_demo_songs(work / "demo")
    return sorted(path for path in music.rglob("*") if path.is_file())


def _cpu_s() -> float:
    """Return the processor time of this process and its ended children: steady where others work too."""
    return sum(os.times()[:4])


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
