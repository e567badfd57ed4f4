"""This helper makes up windows of joins and of other places, for tests of what hears them."""

import numpy as np

from model.base.arrays import BoolArray, FloatArray
from tools.quality.joins.hearing.samples import Samples


def made_up(told: float, seed: int = 0) -> Samples:
    """400 windows of 8 songs whose first feature tells joins by `told` standard deviations."""
    rng = np.random.default_rng(seed)
    joined = np.arange(400) % 2 == 0
    found = rng.normal(size=(400, 5)).astype(np.float32)
    found[:, 0] += told * joined
    songs = np.array([f"song{number % 8}" for number in range(0, 800, 2)])
    rng.shuffle(songs)
    return Samples(
        mel=np.zeros((400, 4, 2), dtype=np.float16),
        evidence=found,
        joined=joined,
        other_song=joined,
        from_song=songs,
        to_song=songs,
        fold=np.array([int(name[-1]) // 4 for name in songs], dtype=np.int64),
        condition=np.full(400, "plain"),
        transition=np.arange(400),
        at_s=np.arange(400.0),
    )


def planted(joined: BoolArray, condition: str, seed: int, pairs: int = 64) -> Samples:
    """Windows of songs that differ in timbre, each a song of its own; a join has another in its second half.

    joined: `(n,)`.
    """
    rng = np.random.default_rng(seed)
    count = len(joined)

    def windows() -> FloatArray:
        timbre = rng.normal(0, 5, (count, 1, 64)).cumsum(axis=2) / 4
        level = 3 * np.sin(rng.uniform(0.1, 0.8, (count, 1, 1)) * np.arange(pairs)[:, None])
        return (timbre + level + rng.normal(0, 4, (count, pairs, 64))).astype(np.float32)

    mel, other = windows(), windows()
    mel[joined, pairs // 2 :] = other[joined, pairs // 2 :]
    songs = np.array([f"{condition}{seed}-{number}" for number in range(count)])
    return Samples(
        mel=mel.astype(np.float16),
        evidence=np.zeros((count, 1), dtype=np.float32),
        joined=joined,
        other_song=joined,
        from_song=songs,
        to_song=songs,
        fold=np.zeros(count, dtype=np.int64),
        condition=np.full(count, condition),
        transition=np.arange(count),
        at_s=np.arange(count, dtype=np.float64),
    )
