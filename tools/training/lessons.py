"""A lesson is made of a pool by what a preset sees, and the model that comes of it is checked."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.base.arrays import IntArray
from model.base.errors import ModelError
from model.learning.approach import Approach
from model.learning.lesson import Lesson, Music, TrainProgress, TrainReport
from model.learning.measures import KEPT_BACK, UNSEEN
from model.learning.settings import Reference, TrainSettings
from model.saved.carried import carried_model, carried_models, chosen_model
from model.saved.contract_file import load_contract
from model.saved.learned import learned_songs
from stream.pool.pool import Pool, open_pool
from tools.training.common import training_packages
from tools.training.edges import edge_sets, pool_edges
from tools.training.grids import pool_songs, song_sets

if TYPE_CHECKING:
    from model.saved.scoring import Features

_PRETRAINED = "pretrained"
"""Stands for the model of the approach that endlos carries."""
_SETS: "dict[Features, Callable[..., tuple[Any, Any]]]" = {"edges": edge_sets, "spectra": song_sets}
_CHOSEN: "dict[Features, Callable[[Pool, IntArray, IntArray], Music]]" = {
    "edges": lambda pool, songs, reference: pool_edges(
        pool, np.isin(pool.chunk_song, songs), reference=np.isin(pool.chunk_song, reference)
    ),
    "spectra": pool_songs,
}


def train_model(
    approach: Approach,
    pool_folder: Path,
    out: Path,
    settings: TrainSettings,
    *,
    start_from: str | None = None,
    resume: bool = False,
    prepared: Callable[[int, int], None] | None = None,
    progress: Callable[[TrainProgress[Any]], None] | None = None,
) -> TrainReport:
    """Train on a share of the pool's songs, measure on the others too, and export the model into `out`.

    start_from: `pretrained`, or a model of the approach as `chosen_model` takes it; goes with a setting
    `pretrained`. What it had learned from counts as learned. prepared: told how many songs of how many are
    read. Raises `PoolError` for a pool that cannot be read, `ModelError` for one that nothing can be learned
    from, and `model.learning.loop.TrainingStoppedError` when it is interrupted.
    """
    start = None if start_from is None else start_model(approach, start_from)
    before = frozenset() if start is None else learned_songs(load_contract(start))
    pool = open_pool(pool_folder)
    sets = _SETS[approach.presets[settings.preset].features]
    train, unseen = sets(pool, settings, prepared, before=before)
    with training_packages(approach.extra):
        trainer = approach.trainer()
    lesson = Lesson(
        train=train,
        unseen=unseen,
        out=out,
        settings=settings,
        start=start,
        unseen_name=KEPT_BACK if before is None else UNSEEN,
        resume=resume,
    )
    report = trainer(lesson, progress)
    approach.check(load_contract(out))
    return report


def chosen_music(pool: Pool, songs: IntArray, features: "Features", reference: Reference | None) -> Music:
    """Return what is learned from of chosen songs, by their number, rising: for who draws songs otherwise.

    reference: of the settings, where the songs are to be learned from; the first ones of them are taken.
    """
    if reference is None:
        return _CHOSEN[features](pool, songs, songs)
    named = songs[: reference.most]
    return _CHOSEN[features](pool, named if reference.alone else songs, named)


def start_model(approach: Approach, start_from: str) -> Path:
    """Return the folder of the model that a training is to begin from; `ModelError` where it is another's."""
    folder = _carried(approach) if start_from == _PRETRAINED else chosen_model(Path(start_from))
    try:
        approach.check(load_contract(folder))
    except ModelError as error:
        raise ModelError(f"training cannot go on from {folder}: {error}") from error
    return folder


def _carried(approach: Approach) -> Path:
    for name in carried_models():
        if load_contract(carried_model(name)).approach == approach.name:
            return carried_model(name)
    raise ModelError(
        f"endlos carries no model of approach {approach.name}; name a folder, or train without --from"
    )
