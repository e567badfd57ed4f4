"""This benchmark measures the memory and the time that the analysis of a song of hours takes."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import record
from tests.support.odd_songs import write_long

BUDGET_MIB = 1_536
"""Resident at most, whatever the length."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 3.0])
    parser.add_argument("--suffix", default=".flac", help="format of the songs")
    arguments = parser.parse_args()
    print(f"{'hours':>6} {'memory':>9} {'CPU':>8} {'x real per CPU s':>17}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for hours in arguments.hours:
            song = Path(folder) / f"song{arguments.suffix}"
            write_long(song, hours)
            memory_mib, cpu_s = _build(song, Path(folder) / f"{hours}")
            rows.append(
                {
                    "hours": hours,
                    "peak_memory_mib": round(memory_mib),
                    "cpu_s": round(cpu_s, 1),
                    "x_real_time_per_cpu_s": round(3600 * hours / cpu_s, 1),
                }
            )
            print(f"{hours:>6} {memory_mib:>5.0f} MiB {cpu_s:>7.1f}s {3600 * hours / cpu_s:>16.1f}x")
    print(f"budget: at most {BUDGET_MIB} MiB")
    record("long_song", {"suffix": arguments.suffix, "builds": rows, "budget_mib": BUDGET_MIB})


def _build(song: Path, out: Path) -> tuple[float, float]:
    """Build a pool of a song by the command; return its peak of resident memory in MiB, and CPU seconds."""
    words = ("pool", "build", str(song), "--out", str(out), "--jobs", "1", "--quiet")
    process = subprocess.Popen([sys.executable, "-m", "tools.cli", *words])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the build of {song} failed")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
