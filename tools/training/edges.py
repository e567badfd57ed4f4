"""This module makes training data of a pool's edges, split by songs and left on disk."""

import hashlib
from collections.abc import Callable

import numpy as np

from model.base.arrays import BoolArray
from model.features.edges import EDGE_RATE_HZ
from model.learning.edge_set import EdgeSet
from model.learning.settings import TrainSettings
from model.saved.learned import songs_record
from stream.pool.pool import Pool
from tools.training.common import share_songs


def edge_sets(
    pool: Pool,
    settings: TrainSettings,
    prepared: Callable[[int, int], None] | None = None,
    *,
    before: frozenset[str] | None = frozenset(),
) -> tuple[EdgeSet, EdgeSet | None]:
    """Return the edges of the songs to learn from and of those kept back (None when none are).

    prepared: not told, there is nothing to read beforehand. before: audio hashes of songs that were learned
    from before; none of them is kept back. None: not known.
    """
    rng = np.random.default_rng([settings.seed, 0])
    shares = share_songs(pool, pool.chunk_song, settings, rng, before=before)
    train = pool_edges(pool, shares.learned, before, reference=shares.reference)
    return train, pool_edges(pool, shares.kept_back) if shares.kept_back.any() else None


def pool_edges(
    pool: Pool,
    chosen: BoolArray,
    before: frozenset[str] | None = frozenset(),
    *,
    reference: BoolArray | None = None,
) -> EdgeSet:
    """Return the edges of the chosen chunks, whole songs of the pool; they stay on disk.

    reference: `(N,)`, which chunks of the pool are of reference songs.
    """
    songs = np.unique(pool.chunk_song[chosen])
    length_s = (pool.end_s() - pool.start_s())[chosen]
    spans = np.stack([pool.chunk_song, pool.start_sample, pool.end_sample], axis=1)[chosen]
    digest = hashlib.blake2b(spans.tobytes(), digest_size=16)
    for song in songs:
        digest.update(pool.songs[song].audio_hash.encode())
    return EdgeSet(
        # Before and after a long silence there are two songs to it: nothing leads from one to the other.
        chunk_song=pool.runs()[chosen],
        chunk_samples=np.floor(length_s * EDGE_RATE_HZ + 1e-6).astype(np.int64),
        rows=np.flatnonzero(chosen),
        heads=pool.heads,
        tails=pool.tails,
        source={
            **songs_record([pool.songs[song].audio_hash for song in songs], before),
            "chunks": int(chosen.sum()),
            "digest": digest.hexdigest(),
        },
        reference=None if reference is None else reference[chosen],
        spectra=pool.spectra,
    )
