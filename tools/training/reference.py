"""This module finds the reference songs of a training in the pool, by their path or name."""

import difflib
from pathlib import Path

import numpy as np

from model.base.arrays import IntArray
from model.base.errors import ModelError
from model.learning.settings import Reference
from stream.pool.pool import Pool

_CLOSE = 3


def named_songs(pool: Pool, reference: Reference | None) -> IntArray:
    """Return the numbers of the songs that a reference names: by path, name, or the name of their file.

    `(n,)` int64, empty where it names none. `ModelError` for one that is not in the pool, or when a file's
    name means several.
    """
    names = () if reference is None else reference.names
    return np.array([_named(pool, name) for name in names], dtype=np.int64)


def _named(pool: Pool, asked: str) -> int:
    path = Path(asked).expanduser().absolute()
    # The plainest meaning goes first.
    for mean in (
        [number for number, song in enumerate(pool.songs) if song.path == path],
        [number for number, song in enumerate(pool.songs) if song.name == asked],
        [number for number, song in enumerate(pool.songs) if asked in (song.path.name, song.path.stem)],
    ):
        if len(mean) == 1:
            return mean[0]
        if mean:
            names = ", ".join(pool.songs[number].name for number in mean[:_CLOSE])
            raise ModelError(f"the reference song {asked} may be any of {names}; give its path")
    close = difflib.get_close_matches(asked, [song.name for song in pool.songs], n=_CLOSE, cutoff=0.0)
    raise ModelError(
        f"the reference song {asked} is not in the pool {pool.folder}; the songs closest to it are "
        f"{', '.join(close)}"
    )
