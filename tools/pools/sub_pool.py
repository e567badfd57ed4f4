"""A sub-pool is a pool of some songs of another, with the same files and their columns alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from model.base.array_files import ArrayFile
from model.base.arrays import IntArray
from stream.pool.columns import columns
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import generation_folder, open_pool


def sub_pool(folder: Path, songs: IntArray, out: Path) -> Path:
    """Write a pool of some songs of the current generation into `out`; its files are the same.

    songs: indices into the pool's songs. Scores and embeddings that were computed for the whole are left out.
    """
    pool = open_pool(folder)
    kept = np.isin(pool.chunk_song, songs)
    source, target = generation_folder(folder, pool.generation), generation_folder(out, pool.generation)
    target.mkdir(parents=True)
    for name in columns(pool.edge_samples):
        array = ArrayFile.of(source / f"{name}.npy").mapped()
        np.save(target / f"{name}.npy", array[kept])
    decoded = folder / "decoded"
    if decoded.is_dir():
        (out / "decoded").symlink_to(decoded.resolve(), target_is_directory=True)
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
