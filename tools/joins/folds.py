"""Song-disjoint folds of a pool: who is in which, and a pool of one fold's songs alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.contract import chosen_model, load_contract
from model.errors import EndlosError
from model.kernels import IntArray
from stream.pool import Pool

FEWEST_SONGS = 4
"""Of a fold: joins to another song need some to go to."""


def fold_of_songs(pool: Pool, folds: int, seed: int) -> IntArray:
    """Return `(songs,)`: the fold of each song, seeded; folders and artists spread evenly by their names.

    `EndlosError` when a fold would be too small.
    """
    songs = len(pool.songs)
    if songs < folds * FEWEST_SONGS:
        raise EndlosError(
            f"{pool.folder} has {songs} songs, and {folds} folds of at least {FEWEST_SONGS} are needed "
            f"so that a detector is tried on songs that it has not heard; add music"
            + (", or give fewer --folds" if songs >= 2 * FEWEST_SONGS else "")
        )
    rng = np.random.default_rng([seed, 1])
    order = np.array(sorted(range(songs), key=lambda song: pool.songs[song].name))
    fold = np.empty(songs, dtype=np.int64)
    for start in range(0, songs, folds):
        group = order[start : start + folds]
        fold[group] = rng.permutation(folds)[: len(group)]
    return fold


def folds_of_models(pool: Pool, models: Sequence[Path]) -> IntArray:
    """Return `(songs,)`: the first model that did not learn from each song, -1 where every one did.

    Songs are compared by the names of their files. `EndlosError` when a model has too few songs to judge.
    """
    fold = np.full(len(pool.songs), -1, dtype=np.int64)
    for number, model in enumerate(models):
        learned = learned_songs(model)
        unheard = [Path(song.name).name not in learned for song in pool.songs]
        fold[(fold < 0) & np.array(unheard)] = number
        if int((fold == number).sum()) < FEWEST_SONGS:
            raise EndlosError(
                f"{model} leaves fewer than {FEWEST_SONGS} songs of {pool.folder} to judge it by: it learned "
                "from the others, or another fold's model has them; train it with more songs held out"
            )
    return fold


def learned_songs(model: Path | None) -> frozenset[str]:
    """Return the names of the files that a model learned from; None is the carried model."""
    learned = load_contract(chosen_model(model)).training.get("train", {})
    names = learned.get("songs", []) if isinstance(learned, dict) else []
    return frozenset(Path(name).name for name in names)
