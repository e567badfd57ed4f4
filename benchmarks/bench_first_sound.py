"""This benchmark times the first sound after the command, from a pool at hand and from unprepared music."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.record import record
from tools.demo.songs import write_demo_songs

POOL_REPEATS = 7
MUSIC_REPEATS = 3
POOL_BUDGET_S = 3.0
FIRST_BUDGET_S = 60.0
_PORT = 8765
_LIMIT_S = 300.0
_POLL_S = 0.01


def first_sound_s(words: list[str], home: Path, environment: dict[str, str] | None = None) -> float:
    """Return the time until `endlos play` with `words` hands the first encoded sound to a listener."""
    began_s = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "tools.cli", "play", *words, "--http", f"127.0.0.1:{_PORT}", "--quiet"],
        env={**os.environ, "ENDLOS_HOME": str(home), **(environment or {})},
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            while process.poll() is None and time.perf_counter() - began_s < _LIMIT_S:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/stream.mp3", timeout=30) as stream:
                        if stream.read(1):
                            return time.perf_counter() - began_s
                except (urllib.error.URLError, OSError):
                    time.sleep(_POLL_S)
            raise RuntimeError("no sound came; run the same `endlos play` by hand to see why")
        finally:
            process.terminate()


def main() -> None:
    """Measure, print a table, record."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        music = place / "music"
        write_demo_songs(music)
        # The first of each kind also compiles what is not compiled yet, and is not counted.
        first_sound_s([str(music)], place / "warm-up")
        (pool,) = (place / "warm-up" / "pools").glob("music-*/")
        at_hand = [first_sound_s([str(pool)], place / "warm-up") for _ in range(POOL_REPEATS)]
        from_music = [first_sound_s([str(music)], place / f"home{n}") for n in range(MUSIC_REPEATS)]
        # A fresh machine: no compiled kernels, no demo songs, no pool.
        fresh = first_sound_s([], place / "fresh", {"NUMBA_CACHE_DIR": str(place / "kernels")})
    rows = {
        "pool at hand": (at_hand, POOL_BUDGET_S),
        "own music, three songs": (from_music, FIRST_BUDGET_S),
        "fresh machine, demo songs": ([fresh], FIRST_BUDGET_S),
    }
    print(f"{'first sound from':26} {'median s':>9} {'max s':>7} {'budget s':>9}")
    for name, (times_s, budget_s) in rows.items():
        print(f"{name:26} {statistics.median(times_s):9.2f} {max(times_s):7.2f} {budget_s:9.0f}")
    record(
        "first_sound",
        {
            name: {"median_s": round(statistics.median(times_s), 3), "max_s": round(max(times_s), 3)}
            for name, (times_s, _) in rows.items()
        },
    )


if __name__ == "__main__":
    main()
