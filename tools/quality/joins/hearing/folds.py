"""Folds divide a pool by songs, and each gets a pool of its own songs alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.base.arrays import IntArray
from model.base.errors import EndlosError
from model.saved.learned import cannot_tell, known_songs
from stream.pool.pool import Pool
from tools.quality.joins.hearing.artists import artist_groups

FEWEST_FOLD_SONGS = 4
"""Fewest songs of a fold; joins to another song need some to go to."""


def fold_of_songs(pool: Pool, folds: int, seed: int) -> IntArray:
    """Return `(songs,)`: the fold of each song, seeded; all songs of an artist are in one.

    Where there are too few artists for that, songs are parted, and neighbours by name (folders and artists)
    are spread evenly. `EndlosError` when a fold would be too small.
    """
    songs = len(pool.songs)
    if songs < folds * FEWEST_FOLD_SONGS:
        raise EndlosError(
            f"{folds} folds of at least {FEWEST_FOLD_SONGS} songs are needed so that a detector is tried on "
            f"songs that it has not heard, and {pool.folder} has {songs}; add music"
            + (", or give fewer --folds" if songs >= 2 * FEWEST_FOLD_SONGS else "")
        )
    rng = np.random.default_rng([seed, 1])
    artists = artist_groups(pool.songs)
    # The largest come first, each to the fold with the fewest songs, equal ones in any order.
    artists = sorted((artists[place] for place in rng.permutation(len(artists))), key=len, reverse=True)
    fold = np.empty(songs, dtype=np.int64)
    counts = np.zeros(folds, dtype=np.int64)
    for own in artists:
        number = int(counts.argmin())
        fold[own] = number
        counts[number] += len(own)
    if counts.min() >= FEWEST_FOLD_SONGS:
        return fold
    order = np.array(sorted(range(songs), key=lambda song: pool.songs[song].name))
    for start in range(0, songs, folds):
        group = order[start : start + folds]
        fold[group] = rng.permutation(folds)[: len(group)]
    return fold


def music_s(pool: Pool) -> float:
    """Return how much music a pool holds, from the first chunk of each song to its last."""
    rows = [pool.song_rows(song) for song in range(len(pool.songs))]
    return sum(pool.end_of_s(own.stop - 1) - pool.start_of_s(own.start) for own in rows)


def apart_by_artist(pool: Pool, fold: IntArray) -> bool:
    """Whether no artist has songs in two folds, `(songs,)`."""
    return all(len(np.unique(fold[own])) == 1 for own in artist_groups(pool.songs))


def folds_of_models(pool: Pool, models: Sequence[Path]) -> IntArray:
    """Return `(songs,)`: the first model that did not learn from each song, -1 where every one did.

    `EndlosError` when a model has too few songs to judge, or cannot tell what it learned from.
    """
    fold = np.full(len(pool.songs), -1, dtype=np.int64)
    for number, model in enumerate(models):
        known = known_songs(model, pool.audio_hashes)
        if known is None:
            raise EndlosError(cannot_tell(str(model)))
        fold[(fold < 0) & ~known] = number
        if int((fold == number).sum()) < FEWEST_FOLD_SONGS:
            raise EndlosError(
                f"{model} leaves fewer than {FEWEST_FOLD_SONGS} songs of {pool.folder} to judge it by: it "
                "learned from the others, or another fold's model has them; train it with more songs held out"
            )
    return fold
