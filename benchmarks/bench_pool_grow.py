"""This benchmark measures the room that a pool takes, and what one song more or less costs a large one.

The songs of the large pool are one song, analysed once and stored under many names. `--against` takes another
working tree of this repository, and measures what stands there in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.record import record
from tools.pools.build import build_pool
from tools.pools.scan import FoundFile
from tools.pools.settings import BuildSettings
from tools.pools.store import PoolStore
from tools.songs.analyse import analyse_song, hear_song

SONG_S = 60.0
RATE_HZ = 44_100
BUDGET_MB_PER_MIN = 1.2
SETTINGS = BuildSettings(jobs=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=int, default=300)
    parser.add_argument("--against", type=Path, help="working tree of another commit")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_measure(arguments.songs)))
        return
    here = Path(__file__).resolve().parents[1]
    trees = {"this": here} | ({"against": arguments.against} if arguments.against else {})
    found = {name: _in_tree(tree, arguments.songs) for name, tree in trees.items()}
    print(f"{arguments.songs} songs of {SONG_S:g} s; budget {BUDGET_MB_PER_MIN:g} MB a minute")
    for name, figures in found.items():
        print(f"{name:>8}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    record(
        "pool_grow",
        {
            "songs": arguments.songs,
            "song_s": SONG_S,
            "budget_mb_per_min": BUDGET_MB_PER_MIN,
            "load": os.getloadavg()[0],
            **found,
        },
    )


def _in_tree(tree: Path, songs: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", "--songs", str(songs)],
        env={**os.environ, "PYTHONPATH": str(tree.resolve())},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measure(songs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        music, pool = Path(folder) / "music", Path(folder) / "pool"
        music.mkdir()
        _song(music / "first.wav", 0)
        build_pool([music], pool, SETTINGS)
        _fill(music, pool, songs)
        figures = {"whole_s": _timed(music, pool)["s"]}
        minutes = songs * SONG_S / 60
        figures["mb_per_min"] = round(_bytes(pool) / 1e6 / minutes, 3)
        _song(music / "added.wav", 1)
        figures |= {f"add_{name}": value for name, value in _timed(music, pool).items()}
        figures["mb_per_min_after"] = round(_bytes(pool) / 1e6 / (minutes + SONG_S / 60), 3)
        (music / "added.wav").unlink()
        figures |= {f"remove_{name}": value for name, value in _timed(music, pool).items()}
        figures |= {f"unchanged_{name}": value for name, value in _timed(music, pool).items()}
    return figures


def _song(path: Path, seed: int) -> None:
    """Write noise with a beat."""
    times_s = np.arange(round(SONG_S * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.1, (len(times_s), 2))
    soundfile.write(path, noise * np.exp(-6 * (times_s % 0.6))[:, None], RATE_HZ)


def _fill(music: Path, pool: Path, songs: int) -> None:
    """Store what the first song is under as many names, as if each had been analysed."""
    first = music / "first.wav"
    analysis = analyse_song(hear_song(first, pool), SETTINGS.analysis, pool, lambda name, size: False)
    random = np.random.default_rng(0)
    with closing(PoolStore(pool, SETTINGS.analysis.key)) as store:
        for number in range(songs - 1):
            path = music / f"{number:06d}.wav"
            path.write_bytes(b"RIFF")
            status = path.stat()
            stamps = {
                "size_bytes": status.st_size,
                "mtime_ns": status.st_mtime_ns,
                "ctime_ns": status.st_ctime_ns,
            }
            file = replace(analysis.file, file_hash=f"{number:040x}", **stamps)
            # Songs of one outline would be one recording.
            outline = random.integers(0, 2**32, len(analysis.outline), dtype=np.uint32)
            named = replace(analysis, audio_hash=f"{number:040x}", file=file, outline=outline)
            store.save_song(FoundFile(root=music, name=path.name, **stamps), named)


def _timed(music: Path, pool: Path) -> dict[str, float]:
    """Build, and return how long that took and how much was written."""
    began_s, before = time.perf_counter(), _written()
    build_pool([music], pool, SETTINGS)
    return {
        "s": round(time.perf_counter() - began_s, 2),
        "mb_written": round((_written() - before) / 1e6, 2),
    }


def _written() -> int:
    """Return the bytes that this process gave to the system to write."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


def _bytes(pool: Path) -> int:
    return sum(
        path.stat().st_size for path in pool.rglob("*") if path.is_file() and path.parent.name != "decoded"
    )


if __name__ == "__main__":
    main()
