"""Tempo partners of a song are the others whose beats fall on its own with little stretching."""

import numpy as np

from model.base.arrays import IntArray
from stream.doors.side import SURE_BEAT
from stream.pool.pool import Pool

MOST_PARTNER_SONGS = 4_096
"""Of a larger pool partners are looked for among so many songs, evenly spread."""
_STEPS = 512
"""Of an octave of tempo: half and double the tempo are the same."""


def tempo_partners(pool: Pool, stretch: float) -> IntArray:
    """Return `(n,)` int64: how many partners each song with a sure beat has.

    stretch: by such a share of its tempo a song is played faster or slower. Of `MOST_PARTNER_SONGS` at most
    those are counted some chunks of which come together, whatever metre they are in.
    """
    tempo, sure = pool.traits.tempo_bpm, pool.traits.beat_confidence >= SURE_BEAT
    count = len(pool.songs)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_PARTNER_SONGS)).round().astype(np.int64))
    place = np.full(count, -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(sure & (tempo > 0) & (place[pool.chunk_song] >= 0))
    song = place[pool.chunk_song[rows]]
    step = np.floor(np.log2(tempo[rows]) * _STEPS).astype(np.int64) % _STEPS
    own = np.zeros((len(chosen), _STEPS), dtype=np.float32)
    own[song, step] = 1.0
    reach = int(np.log2(1.0 + stretch) * _STEPS)
    near = sum(np.roll(own, shift, axis=1) for shift in range(-reach, reach + 1))
    together = (np.asarray(near) @ own.T) > 0
    np.fill_diagonal(together, False)
    found: IntArray = together.sum(axis=1)[own.any(axis=1)]
    return found
