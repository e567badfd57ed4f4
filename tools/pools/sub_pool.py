"""A sub-pool is a pool of some songs of another, with the same files."""

import sqlite3
from contextlib import closing
from pathlib import Path

from model.base.arrays import IntArray
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import open_pool


def sub_pool(folder: Path, songs: IntArray, out: Path) -> Path:
    """Write a pool of some songs of the current generation into `out`; its files are the same.

    songs: indices into the pool's songs. Scores and embeddings that were computed for the whole are left out.
    """
    pool = open_pool(folder)
    out.mkdir(parents=True)
    for name in ("columns", "decoded"):
        (out / name).symlink_to((folder / name).resolve(), target_is_directory=True)
    with (
        closing(sqlite3.connect(f"{(folder / DATABASE_FILE).absolute().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(out / DATABASE_FILE)) as new,
    ):
        old.backup(new)
        ids = [
            (pool.generation, pool.songs[song].song_id)
            for song in range(len(pool.songs))
            if song not in songs
        ]
        new.executemany("DELETE FROM generation_songs WHERE generation = ? AND song_id = ?", ids)
        new.commit()
    return out
