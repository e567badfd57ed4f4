"""This module makes a pool of another size, for figures that depend on the number of candidates."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stream.pool.pool import Pool
from stream.pool.song_table import SongTable


def resized(pool: Pool, chunks: int, folder: Path, edge_samples: int) -> Pool:
    """Return a pool of `chunks`: the first of `pool`, or all of them again and again as if of other songs.

    folder: where it may keep files of its own. edge_samples: edges are cut to this, so that it stays small.
    """
    rows = np.arange(chunks) % len(pool)
    copies = np.arange(chunks) // len(pool)
    songs = SongTable(
        replace(song, audio_hash=f"{song.audio_hash}-{copy}")
        for copy in range(int(copies[-1]) + 1)
        for song in pool.songs
    )
    return replace(
        pool,
        folder=folder,
        songs=songs,
        chunk_song=pool.chunk_song[rows] + copies * len(pool.songs),
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
