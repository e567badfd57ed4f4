"""Song-disjoint folds of a pool: who is in which, and a pool of one fold's songs alone."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from model.contract import chosen_model, load_contract
from model.errors import EndlosError
from model.kernels import IntArray
from stream.columns import columns
from stream.pool import DATABASE_FILE, Pool, generation_folder, open_pool

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


def sub_pool(folder: Path, songs: IntArray, out: Path) -> Path:
    """Write a pool of some songs of the current generation into `out`; its files are the same.

    songs: indices into the pool's songs. Scores and embeddings that were computed for the whole are left out.
    """
    pool = open_pool(folder)
    kept = np.isin(pool.chunk_song, songs)
    source, target = generation_folder(folder, pool.generation), generation_folder(out, pool.generation)
    target.mkdir(parents=True)
    for name in columns(pool.edge_samples):
        array = np.load(source / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        np.save(target / f"{name}.npy", array[kept])
    decoded = folder / "decoded"
    if decoded.is_dir():
        (out / "decoded").symlink_to(decoded.resolve(), target_is_directory=True)
    with (
        closing(sqlite3.connect(f"{(folder / DATABASE_FILE).absolute().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(out / DATABASE_FILE)) as new,
    ):
        old.backup(new)
        ids = [
            (pool.generation, pool.songs[song].song_id)
            for song in range(len(pool.songs))
            if song not in songs
        ]
        new.executemany("DELETE FROM generation_songs WHERE generation = ? AND song_id = ?", ids)
        new.commit()
    return out
