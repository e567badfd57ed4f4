"""This benchmark times the build of a pool in processor seconds, by stage and against an earlier commit."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.record import record
from model.features.edges import chunk_edges
from model.features.seam import seam_sides
from model.features.spectra import chunk_spectra
from model.features.texture import textures
from stream.audio.coded import read_coded_audio
from stream.audio.decode import decode_song
from stream.audio.song_file import seeks_check_out
from tools.demo.songs import write_demo_songs
from tools.pools.build import build_pool
from tools.pools.report import BuildProgress, BuildReport
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings
from tools.songs.cut_beat import cut_on_beats
from tools.songs.loudness import integrated_lufs
from tools.songs.measure import measure_traits
from tools.songs.outline import outline
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.song import hash_file
from tools.songs.tags import read_tags
from tools.songs.true_peak import true_peak

BUDGET_PER_CORE = 30
"""Multiple of real time that one core must reach."""
BUDGET_MIB = 700
"""Of two jobs and what starts them, on ordinary songs, whatever these are."""
REPOSITORY = Path(__file__).resolve().parents[1]
MUSIC = REPOSITORY.parent / "shared" / "music" / "library"
_BUILT_APART = """
import os, sys
from pathlib import Path
from typing import Any
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings
out, jobs, *songs = sys.argv[1:]
songs = [Path(song) for song in songs]
build_pool(songs[:1], Path(out) / "warm", BuildSettings(jobs=1))
before_s = sum(os.times()[:4])
report = build_pool(songs, Path(out) / "pool", BuildSettings(jobs=int(jobs)))
print(sum(os.times()[:4]) - before_s, report.analysed_s)
"""


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
        with threadpool_limits(1):
            stages_s = _stages(songs)
        rows = [_timed(songs, work / str(jobs), jobs) for jobs in arguments.jobs]
        again, _ = _build(songs, work / str(arguments.jobs[0]), arguments.jobs[0])
        assert again.analysed == 0
        print(f"unchanged: {again.elapsed_s:.2f} s for {again.songs} songs")
        print(f"budget: at least {BUDGET_PER_CORE} times real time per core (CPU second)")
        memory_mib = _peak_memory_mib(songs, work / "memory")
        print(f"memory: {memory_mib:.0f} MiB with two jobs, budget {BUDGET_MIB} MiB")
        against = _compare(arguments.against, songs, work, arguments.repeats) if arguments.against else None
    record(
        "pool_build",
        {
            "builds": rows,
            "unchanged_s": round(again.elapsed_s, 3),
            "budget_per_core": BUDGET_PER_CORE,
            "stages_cpu_s": {name: round(cpu_s, 3) for name, cpu_s in stages_s.items()},
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


class _Stopwatch:
    """The processor seconds of stages, each over all songs."""

    def __init__(self) -> None:
        self.took_s: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began_s = time.process_time()
        result = work(*arguments)
        self.took_s[stage] = self.took_s.get(stage, 0.0) + time.process_time() - began_s
        return result


def _stages(songs: list[Path]) -> dict[str, float]:
    """Print and return the processor seconds of each stage of the analysis, over all songs."""
    timed = _Stopwatch()
    for path in songs:
        timed("packets and hashes", hash_file, path)
        coded = timed("packets and hashes", read_coded_audio, path)
        timed("tags", read_tags, path)
        song = timed("decode", partial(decode_song, coded=coded), path)
        audio, rate_hz = np.asarray(song.samples), song.sample_rate_hz
        timed("outline", outline, audio, rate_hz)
        rhythm = timed("rhythm", find_rhythm, audio, rate_hz)
        bounds = timed("cuts, and voice", cut_on_beats, audio, rate_hz, CutSettings(), rhythm).bounds
        spans = np.stack([bounds[:-1], bounds[1:]], axis=1)
        spectra = []
        for start, stop in spans.tolist():
            timed("edges", chunk_edges, audio[start:stop], rate_hz, 2_520)
            spectra.append(timed("spectra", chunk_spectra, audio[start:stop], rate_hz))
        kept = np.array(spectra, dtype=np.float16)
        timed("seams and textures", seam_sides, kept, spans / rate_hz)
        timed("seams and textures", textures, kept)
        timed("traits, and voice", measure_traits, audio, rate_hz, bounds, rhythm)
        timed("loudness", integrated_lufs, audio, rate_hz)
        timed("true peak", true_peak, audio)
        timed("seek checks", seeks_check_out, path, audio, 0)
    total_s = sum(timed.took_s.values())
    for stage, cpu_s in timed.took_s.items():
        print(f"{stage:>20} {cpu_s:>7.2f} s {100 * cpu_s / total_s:>4.0f} %")
    return timed.took_s


def _compare(commit: str, songs: list[Path], work: Path, repeats: int) -> dict[str, object]:
    """Build by turns as now and as in another commit, each in a process of its own; print the ratio."""
    tree = work / "before"
    subprocess.run(["git", "worktree", "add", "--detach", str(tree), commit], cwd=REPOSITORY, check=True)
    try:
        cpu_s: dict[str, list[float]] = {"now": [], "before": []}
        for turn in range(repeats):
            for name, place in (("before", tree), ("now", REPOSITORY)):
                out = work / f"{name}{turn}"
                words = [sys.executable, "-c", _BUILT_APART, str(out), "1", *map(str, songs)]
                environment = {**os.environ, "PYTHONPATH": str(place)}
                done = subprocess.run(words, cwd=place, env=environment, stdout=subprocess.PIPE, check=True)
                cpu_s[name].append(float(done.stdout.split()[0]))
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=REPOSITORY, check=True)
    ratios = [before / now for before, now in zip(cpu_s["before"], cpu_s["now"], strict=True)]
    print(
        f"against {commit}: {np.median(cpu_s['before']):.1f} CPU s then, {np.median(cpu_s['now']):.1f} now: "
        f"{np.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    return {"commit": commit, "ratio": round(float(np.median(ratios)), 2), **cpu_s}


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
