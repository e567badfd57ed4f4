"""This benchmark measures the room that a pool takes, and what an album more or less costs a large one.

The songs of the large pool are one song, analysed once and stored under many names, with outlines at random.
`--against` takes another working tree of this repository, and measures what stands there in the same run.
"""

import argparse
import json
import os
import shutil
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
from model.saved.carried import carried_model
from tools.pools.build import build_pool
from tools.pools.scan import FoundFile
from tools.pools.settings import BuildSettings
from tools.pools.store import PoolStore
from tools.songs.analyse import analyse_song, hear_song
from tools.songs.song import SongAnalysis

SONG_S = 60.0
ALBUM = 12
"""Songs that are added and removed."""
_AT_ONCE = 1_000
"""Songs of the large pool that are stored before a build packs them."""
RATE_HZ = 44_100
BUDGET_MB_PER_MIN = 1.2
SETTINGS = BuildSettings(jobs=1, model=carried_model())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=int, default=300)
    parser.add_argument("--song-s", type=float, default=SONG_S)
    parser.add_argument("--against", type=Path, help="working tree of another commit")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_measure(arguments.songs, arguments.song_s)))
        return
    here = Path(__file__).resolve().parents[1]
    trees = {"this": here} | ({"against": arguments.against} if arguments.against else {})
    found = {name: _in_tree(tree, arguments.songs, arguments.song_s) for name, tree in trees.items()}
    print(f"{arguments.songs} songs of {arguments.song_s:g} s; budget {BUDGET_MB_PER_MIN:g} MB a minute")
    for name, figures in found.items():
        print(f"{name:>8}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    record(
        "pool_grow",
        {
            "songs": arguments.songs,
            "song_s": arguments.song_s,
            "budget_mb_per_min": BUDGET_MB_PER_MIN,
            "load": os.getloadavg()[0],
            **found,
        },
    )


def _in_tree(tree: Path, songs: int, song_s: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", "--songs", str(songs), "--song-s", str(song_s)],
        env={**os.environ, "PYTHONPATH": str(tree.resolve())},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measure(songs: int, song_s: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        music, pool = Path(folder) / "music", Path(folder) / "pool"
        music.mkdir()
        _song(music / "first.wav", song_s, 0)
        build_pool([music], pool, SETTINGS)
        _fill(music, pool, songs)
        figures = {}
        minutes = songs * song_s / 60
        figures["mb_per_min"] = round(_bytes(pool) / 1e6 / minutes, 3)
        # Twice: the first compiles kernels.
        for time_of in ("first_", ""):
            album = music / f"0500 {time_of}"
            album.mkdir()
            for seed in range(ALBUM):
                _song(album / f"{seed}.wav", song_s, 1 + seed + ALBUM * len(time_of))
            figures |= {f"{time_of}add_{name}": value for name, value in _timed(music, pool).items()}
            shutil.rmtree(album)
            figures |= {f"{time_of}remove_{name}": value for name, value in _timed(music, pool).items()}
        figures |= {f"unchanged_{name}": value for name, value in _timed(music, pool).items()}
    return figures


def _song(path: Path, song_s: float, seed: int) -> None:
    """Write noise with a beat."""
    times_s = np.arange(round(song_s * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.1, (len(times_s), 2))
    soundfile.write(path, noise * np.exp(-6 * (times_s % 0.6))[:, None], RATE_HZ)


def _fill(music: Path, pool: Path, songs: int) -> None:
    """Store what the first song is under as many names, as if each had been analysed."""
    first = music / "first.wav"
    analysis = analyse_song(hear_song(first, pool), SETTINGS.analysis, pool, lambda name, size: False)
    random = np.random.default_rng(0)
    for begin in range(0, songs, _AT_ONCE):
        with closing(PoolStore(pool, SETTINGS.analysis.key)) as store:
            # What is lost with the power is no loss here.
            store.database.execute("PRAGMA synchronous = OFF")
            for number in range(begin, min(songs, begin + _AT_ONCE)):
                _store_as(store, music, f"{number // ALBUM:04d}/{number:06d}.wav", number, analysis, random)
        build_pool([music], pool, SETTINGS)


def _store_as(
    store: PoolStore,
    music: Path,
    name: str,
    number: int,
    analysis: SongAnalysis,
    random: np.random.Generator,
) -> None:
    path = music / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"RIFF" + bytes(number))
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
    store.save_song(FoundFile(root=music, name=name, **stamps), named)


def _timed(music: Path, pool: Path) -> dict[str, float]:
    """Build, and return how long that took, on the wall and of the processor, and how much was written."""
    began_s, began_cpu_s, before = time.perf_counter(), time.process_time(), _written()
    build_pool([music], pool, SETTINGS)
    return {
        "s": round(time.perf_counter() - began_s, 2),
        "cpu_s": round(time.process_time() - began_cpu_s, 2),
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
