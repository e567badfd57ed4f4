"""This module finds the reference songs of a training in the pool, by their path or name."""

import numpy as np

from model.base.arrays import IntArray
from model.learning.settings import Reference
from stream.pool.pool import Pool
from stream.pool.song_names import named_song


def named_songs(pool: Pool, reference: Reference | None) -> IntArray:
    """Return the numbers of the songs that a reference names, `(n,)` int64, empty where it names none.

    `EndlosError` for one that is not in the pool, or may be several.
    """
    names = () if reference is None else reference.names
    return np.array([named_song(pool, name) for name in names], dtype=np.int64)
