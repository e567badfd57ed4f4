"""This module makes a pool of another size, for figures that depend on the number of candidates."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from stream.pool.database import DATABASE_FILE, connect
from stream.pool.pool import Pool
from stream.pool.song_table import SongTable


def resized(pool: Pool, chunks: int, folder: Path, edge_samples: int) -> Pool:
    """Return a pool of `chunks`: the first of `pool`, or all of them again and again as if of other songs.

    folder: where it may keep files of its own. edge_samples: edges are cut to this, so that it stays small.
    """
    if (pool.folder / DATABASE_FILE).exists():
        # What is known of songs over time stands there.
        with closing(connect(pool.folder)) as known, closing(sqlite3.connect(folder / DATABASE_FILE)) as copy:
            known.backup(copy)
    rows = np.arange(chunks) % len(pool)
    copies = np.arange(chunks) // len(pool)
    chunk_song = pool.chunk_song[rows] + copies * len(pool.songs)
    # No song stands in a pool without a chunk.
    songs = (
        replace(song, audio_hash=f"{song.audio_hash}-{copy}")
        for copy in range(int(copies[-1]) + 1)
        for song in pool.songs
    )
    return replace(
        pool,
        folder=folder,
        songs=SongTable(islice(songs, int(chunk_song[-1]) + 1)),
        chunk_song=chunk_song,
        start_sample=pool.start_sample[rows],
        end_sample=pool.end_sample[rows],
        loudness_db=pool.loudness_db[rows],
        fingerprints=pool.fingerprints[rows],
        heads=np.ascontiguousarray(pool.heads[:, :, :edge_samples])[rows],
        tails=np.ascontiguousarray(pool.tails[:, :, pool.edge_samples - edge_samples :])[rows],
        # A model that looks at them is measured with what it made of those of `pool`.
        spectra=None,
        sides=None if pool.sides is None else pool.sides.take(rows),
        textures=None if pool.textures is None else pool.textures.take(rows),
        traits=pool.traits.take(rows),
    )
