"""Pools as an endlos wrote them that kept an analysis in a file and columns for each generation.

Before that, one named songs by the bytes of their files.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from model.base.stored_rows import StoredRows
from stream.audio.decode import decode
from stream.pool.columns import columns, record_type
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import decoded_copy, generation_folder, open_pool
from tests.support.columns import stored_column
from tools.songs.song import hash_file

SCHEMA_2 = """
CREATE TABLE songs_2 (
    song_id INTEGER PRIMARY KEY, root TEXT NOT NULL, path TEXT NOT NULL, audio_hash TEXT NOT NULL,
    analysis_key TEXT NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sample_rate_hz INTEGER NOT NULL, channels INTEGER NOT NULL, frames INTEGER NOT NULL,
    title TEXT NOT NULL, artist TEXT NOT NULL, album TEXT NOT NULL, cover BLOB,
    loudness_lufs REAL NOT NULL, true_peak_db REAL NOT NULL, seekable INTEGER NOT NULL,
    cut TEXT NOT NULL, chunks INTEGER NOT NULL,
    UNIQUE (root, path, audio_hash, analysis_key)
);
CREATE TABLE failures_2 (
    root TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, analysis_key TEXT NOT NULL,
    PRIMARY KEY (root, path)
) WITHOUT ROWID;
"""


def make_schema_3(folder: Path) -> None:
    """Turn a pool of today into one of schema 3."""
    pool = open_pool(folder)
    values = {name: stored_column(folder, name) for name in columns(pool.edge_samples)}
    home = generation_folder(folder, pool.generation)
    assert isinstance(pool.heads, StoredRows)
    for name in columns(pool.edge_samples):
        np.save(home / f"{name}.npy", values[name][pool.heads.rows])
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database, database:
        places = database.execute("SELECT * FROM places").fetchall()
        database.execute("DROP TABLE places")
        for table, column in (
            ("generations", "columns"),
            ("generations", "stored_chunks"),
            ("generation_songs", "first_row"),
        ):
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        database.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")
    for audio_hash, key, first, chunks in places:
        rows = np.zeros(chunks, dtype=record_type(pool.edge_samples))
        for name, array in values.items():
            rows[name] = array[first : first + chunks]
        np.save(folder / "analysis" / f"{audio_hash}-{key}.npy", rows)
    shutil.rmtree(folder / "columns")


def make_earlier(folder: Path) -> dict[str, str]:
    """Turn a pool of today into one of schema 2; return its songs' names then, by their names today."""
    songs = open_pool(folder).songs
    make_schema_3(folder)
    names = {song.audio_hash: hash_file(song.path) for song in songs}
    for song in songs:
        if not song.seekable:
            # Its copies had no check sums.
            with decoded_copy(folder, song.audio_hash).open("wb") as file:
                np.save(file, decode(song.path)[0])
    for path in [*(folder / "analysis").iterdir(), *(folder / "decoded").iterdir()]:
        for today, then in names.items():
            if path.name.startswith(today):
                path.rename(path.with_name(path.name.replace(today, then)))
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database, database:
        database.executescript(SCHEMA_2)
        for table in ("songs", "failures"):
            kept = ", ".join(row[1] for row in database.execute(f"PRAGMA table_info({table}_2)"))
            database.execute(f"INSERT INTO {table}_2 ({kept}) SELECT {kept} FROM {table}")
            database.execute(f"DROP TABLE {table}")
            database.execute("PRAGMA legacy_alter_table = ON")
            database.execute(f"ALTER TABLE {table}_2 RENAME TO {table}")
        database.executemany(
            "UPDATE songs SET audio_hash = ? WHERE audio_hash = ?",
            [(then, today) for today, then in names.items()],
        )
        database.execute("DROP TABLE file_hashes")
        database.execute("DROP TABLE copies")
        database.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
    return names
