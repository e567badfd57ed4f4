"""An arc leads the stream from calm music to lively music and back, in place of random steps."""

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from stream.pool.pool import Pool

ARC_S = 2400.0
"""From calm music to lively music and back."""
_OF_SONG, _OF_TEMPO = 1.0, 0.8
"""How much the level of the whole song, and the tempo, count against the level of the chunk."""


def pool_energy(pool: Pool) -> FloatArray:
    """Return `(N,)` float32: how lively each chunk is among all of its pool, 0 to 1.

    By how loud chunk and song are before any gain, and by tempo; as ranks, so that an arc passes as much of
    the music in any minute.
    """
    count = len(pool)
    sizes = np.maximum(np.bincount(pool.chunk_song, minlength=len(pool.songs)), 1)
    of_song = np.bincount(pool.chunk_song, pool.loudness_db, minlength=len(pool.songs)) / sizes
    tempo = pool.traits.tempo_bpm
    # Music without a beat is calm.
    livelier = (
        _ranks(pool.loudness_db)
        + _OF_SONG * _ranks(of_song[pool.chunk_song])
        + _OF_TEMPO * np.where(tempo > 0, _ranks(tempo), 0.0)
    )
    return _ranks(livelier).astype(np.float32) if count > 1 else np.full(count, 0.5, dtype=np.float32)


def wanted_energy(heard_s: float) -> float:
    """Return how lively the music should be after so much of the stream, 0 to 1: it rises at first."""
    place = (heard_s / ARC_S + 0.25) % 1.0
    return 2.0 * place if place < 0.5 else 2.0 - 2.0 * place


def _ranks(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the rank of each value, `(n,)` 0 to 1, equal for equals."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles: IntArray = np.cumsum(counts) - (counts + 1) / 2.0
    return middles[inverse] / max(1, len(values) - 1)
