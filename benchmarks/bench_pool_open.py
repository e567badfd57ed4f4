"""This benchmark times the opening of a pool of 10^6 chunks."""

import argparse
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.record import record
from stream.pool.columns import column_file, column_folder, columns
from stream.pool.database import DATABASE_FILE, SCHEMA, SCHEMA_VERSION
from stream.pool.pool import open_pool

BUDGET_OPEN_S = 1.0
CHUNKS_PER_SONG = 50
EDGE_SAMPLES = 2_520


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), arguments.chunks)
        timed = np.array([_open(Path(folder), arguments.chunks) for _ in range(arguments.repeats)])
    wall_s, cpu_s = np.median(timed, axis=0)
    print(
        f"{arguments.chunks} chunks: opened in {wall_s:.2f} s (median of {arguments.repeats}), "
        f"slowest {timed[:, 0].max():.2f} s, processor {cpu_s:.2f} s; budget {BUDGET_OPEN_S:g} s"
    )
    record(
        "pool_open",
        {
            "chunks": arguments.chunks,
            "repeats": arguments.repeats,
            "median_s": round(float(wall_s), 3),
            "slowest_s": round(float(timed[:, 0].max()), 3),
            "cpu_s": round(float(cpu_s), 3),
            "budget_s": BUDGET_OPEN_S,
            "load": os.getloadavg()[0],
        },
    )


def _write(folder: Path, chunks: int) -> None:
    songs = -(-chunks // CHUNKS_PER_SONG)
    counts = [min(CHUNKS_PER_SONG, chunks - song * CHUNKS_PER_SONG) for song in range(songs)]
    # In another order than the songs are in, as after many builds.
    placed = np.random.default_rng(0).permutation(songs)
    first_rows = np.empty(songs, dtype=np.int64)
    first_rows[placed] = np.cumsum(np.array(counts)[placed]) - np.array(counts)[placed]
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database:
        database.executescript(SCHEMA)
        database.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("schema", str(SCHEMA_VERSION)), ("generation", "1")]
        )
        database.execute("INSERT INTO generations VALUES (1, 1, ?, 0, 1, ?)", (EDGE_SAMPLES, chunks))
        database.executemany(
            """INSERT INTO songs (song_id, path, audio_hash, chunks, root, file_hash, analysis_key,
                   size_bytes, mtime_ns, ctime_ns, sample_rate_hz, channels, frames, title, artist, album,
                   loudness_lufs, true_peak_db, seekable, cut)
               VALUES (?, ?, ?, ?, '/music', '', 'key', 1, 1, 1, 44100, 2, 10000000, 'title', 'artist',
                   'album', -14.0, -1.0, 1, 'on the beat')""",
            [(song + 1, f"{song}.mp3", f"{song:040x}", counts[song]) for song in range(songs)],
        )
        database.executemany(
            "INSERT INTO generation_songs VALUES (1, ?, ?, ?)",
            [(song, song + 1, int(first_rows[song])) for song in range(songs)],
        )
        database.commit()
    target = column_folder(folder, 1)
    target.mkdir(parents=True)
    length = 10_000_000 // CHUNKS_PER_SONG
    starts = np.concatenate([np.arange(counts[song]) * length for song in placed])
    for name, column in columns(EDGE_SAMPLES).items():
        path = column_file(target, name)
        if name in ("start_sample", "end_sample"):
            (starts + length * (name == "end_sample")).astype(column.dtype).tofile(path)
        else:
            # What is not looked at keeps its files as empty holes.
            path.touch()
            os.truncate(path, chunks * column.row_bytes)


def _open(folder: Path, chunks: int) -> tuple[float, float]:
    """Return wall and processor time in seconds."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    assert len(open_pool(folder)) == chunks
    return time.perf_counter() - began_s, time.process_time() - began_cpu_s


if __name__ == "__main__":
    main()
