"""This module keeps songs back from every training, and imports the packages that train."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, IntArray
from model.base.errors import ModelError
from model.base.quiet import without_noise
from model.learning.pairs import split_songs
from model.learning.settings import TrainSettings
from stream.pool.pool import Pool
from tools.training.reference import named_songs

_OURS = ("model", "stream", "tools")


@contextmanager
def training_packages(extra: str) -> Iterator[None]:
    """Import what trains; `ModelError` names a package of the extra that is not installed.

    That takes seconds, so all that can be refused has been refused before.
    """
    try:
        with without_noise():
            yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        raise ModelError(
            f"training needs the package {error.name}, which is not installed; "
            f"install endlos with its extra, in its folder: pip install -e '.[{extra}]'"
        ) from error


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """What is done with some songs, or chunks by their song: `(n,)` bool each."""

    learned: BoolArray
    kept_back: BoolArray
    """Training never sees them."""
    reference: BoolArray
    """Their transitions are classes; where nothing asks for that, all that is learned from."""


def share_songs(
    pool: Pool,
    song: IntArray,
    settings: TrainSettings,
    rng: np.random.Generator,
    *,
    before: frozenset[str] | None,
) -> Shares:
    """Return what is learned from, and what is kept back, of `(n,)` songs or chunks, by their song.

    before: audio hashes of songs that were learned from before; none of them is kept back, and no reference
    song that the settings name. Raises `ModelError` for a single song of which a share is asked for, and for
    a reference song that is not in the pool.
    """
    asked = settings.reference_songs
    named = named_songs(pool, asked)
    learned = (before or frozenset()) | {pool.audio_hashes[number] for number in named}
    kept_back = _kept_back(pool, song, settings.validation_share, rng, learned)
    if asked is None:
        return Shares(learned=~kept_back, kept_back=kept_back, reference=~kept_back)
    if not len(named):
        named = np.unique(song[~kept_back])[: asked.most]
    reference = np.isin(song, named) & ~kept_back
    return Shares(learned=reference if asked.alone else ~kept_back, kept_back=kept_back, reference=reference)


def _kept_back(
    pool: Pool, song: IntArray, share: float, rng: np.random.Generator, learned: frozenset[str]
) -> BoolArray:
    if share > 0 and len({pool.songs[number].audio_hash for number in np.unique(song).tolist()}) < 2:
        raise ModelError(
            f"the pool {pool.folder} has one song, and a share of songs is to be kept back to measure on; "
            "add songs, or train with a validation share of 0"
        )
    hashes = pool.audio_hashes
    # Copies of a file are one song: to learn from one and measure on the other tells nothing.
    first = {audio_hash: number for number, audio_hash in reversed(list(enumerate(hashes)))}
    same = np.array([first[audio_hash] for audio_hash in hashes], dtype=np.int64)[song]
    fresh = np.array([audio_hash not in learned for audio_hash in hashes], dtype=np.bool_)[song]
    return split_songs(same, share, rng, fresh)
