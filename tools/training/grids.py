"""This module makes training data of a pool's songs, as grids that are kept in the pool, split by songs."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.base.array_files import ArrayFile, ArrayFileError
from model.base.arrays import IntArray
from model.base.errors import DecodeError, ModelError, PoolError
from model.features.spectra import SPECTRAL_VERSION
from model.learning.settings import TrainSettings
from model.learning.song_set import GRID_S, GridArray, JudgedJoin, SongSet, song_grid
from model.saved.learned import songs_record
from stream.audio.decode import decode
from stream.pool.feedback import LabelledJoin, labelled_joins
from stream.pool.pool import Pool
from stream.pool.songs import Song
from tools.pools.place import GRID_FOLDER, save_array
from tools.training.common import share_songs
from tools.training.reference import named_songs

MOST_SONGS = 500
"""Songs that are learned from, drawn by the seed: about 3 GB of grids."""


def song_sets(
    pool: Pool,
    settings: TrainSettings,
    prepared: Callable[[int, int], None] | None = None,
    *,
    before: frozenset[str] | None = frozenset(),
) -> tuple[SongSet, SongSet | None]:
    """Return the songs to learn from and those kept back (None when none are), from dead air to dead air.

    before: audio hashes of songs that were learned from before; none of them is kept back. None: not known.
    """
    rng = np.random.default_rng([settings.seed, 0])
    drawn = rng.permutation(np.unique(pool.chunk_song))[:MOST_SONGS]
    songs = np.union1d(drawn, named_songs(pool, settings.reference_songs))
    shares = share_songs(pool, songs, settings, rng, before=before)
    judged = labelled_joins(pool.folder)
    grids = _grids(pool, songs, prepared)
    train = _song_set(pool, songs[shares.learned], songs[shares.reference], grids, judged, before)
    unseen = _song_set(pool, songs[shares.kept_back], songs[:0], grids, [])
    if not train.grids:
        raise ModelError(f"no song of {pool.folder} can be read; put the files back or build the pool again")
    return train, unseen if unseen.grids else None


def pool_songs(pool: Pool, songs: IntArray, reference: IntArray) -> SongSet:
    """Return the chosen songs of a pool, those that can be read, from dead air to dead air.

    reference: which of them are reference songs.
    """
    return _song_set(pool, songs, reference, _grids(pool, songs, None), [])


def _grids(pool: Pool, songs: IntArray, prepared: Callable[[int, int], None] | None) -> dict[int, GridArray]:
    grids: dict[int, GridArray] = {}
    for done, number in enumerate(songs.tolist()):
        grid = _kept_grid(pool.folder, pool.songs[number])
        if grid is not None:
            grids[number] = _sounding(pool, number, grid)
        if prepared is not None:
            prepared(done + 1, len(songs))
    return grids


def _song_set(
    pool: Pool,
    songs: IntArray,
    reference: IntArray,
    grids: dict[int, GridArray],
    judged: list[LabelledJoin],
    before: frozenset[str] | None = frozenset(),
) -> SongSet:
    held = [number for number in songs.tolist() if number in grids]
    place = {number: at for at, number in enumerate(held)}

    def row(number: int, sample: int) -> int:
        return round(sample / pool.songs[number].sample_rate_hz / GRID_S) - _first_row(pool, number)

    joins: dict[tuple[int, int, int, int], JudgedJoin] = {}
    for join in judged:
        exited, entered = pool.song_of(join.from_hash), pool.song_of(join.to_hash)
        if exited is None or entered is None or not {exited, entered} <= place.keys():
            continue
        found = JudgedJoin(
            from_song=place[exited],
            from_row=row(exited, join.from_end_sample),
            to_song=place[entered],
            to_row=row(entered, join.to_start_sample),
            liked=join.label == 1,
        )
        # The latest opinion counts, also of a join that was named otherwise before.
        joins[found.from_song, found.from_row, found.to_song, found.to_row] = found
    digest = hashlib.blake2b(str(SPECTRAL_VERSION).encode(), digest_size=16)
    for number in held:
        digest.update(f"{pool.songs[number].audio_hash} {len(grids[number])}".encode())
    return SongSet(
        grids=[grids[number] for number in held],
        source={
            **songs_record([pool.songs[number].audio_hash for number in held], before),
            "seconds": round(sum(len(grids[number]) for number in held) * GRID_S),
            "digest": digest.hexdigest(),
            "judged_joins": len(joins),
        },
        judged=list(joins.values()),
        spans=[_spans(pool, number, len(grids[number])) for number in held],
        reference=[
            place[number] for number in ([] if reference is None else reference.tolist()) if number in place
        ],
    )


def _kept_grid(folder: Path, song: Song) -> GridArray | None:
    """Return a song's grid, memory-mapped, made when it is not there; None when the file cannot be read."""
    kept = folder / GRID_FOLDER / f"{song.audio_hash}.v{SPECTRAL_VERSION}.npy"
    if not kept.is_file():
        try:
            grid = song_grid(*decode(song.path))
        except DecodeError:
            return None
        kept.parent.mkdir(exist_ok=True)
        save_array(kept, grid)
    try:
        mapped: GridArray = ArrayFile.of(kept).mapped()
    except ArrayFileError as error:
        raise PoolError(f"{kept} cannot be read ({error}); delete it, it is made again") from error
    return mapped


def _sounding(pool: Pool, number: int, grid: GridArray) -> GridArray:
    """Return the rows from a song's first chunk to its last: dead air belongs to none."""
    end_sample = pool.end_sample[pool.chunk_song == number].max()
    last = int(end_sample / pool.songs[number].sample_rate_hz / GRID_S)
    return grid[_first_row(pool, number) : last]


def _spans(pool: Pool, number: int, rows: int) -> IntArray:
    """Return `(chunks, 2)` rows of a song's grid, of so many rows, where its chunks begin and end."""
    own = pool.chunk_song == number
    ends = np.stack([pool.start_sample[own], pool.end_sample[own]], axis=1)
    found = np.round(ends / pool.songs[number].sample_rate_hz / GRID_S).astype(np.int64)
    return np.clip(found - _first_row(pool, number), 0, rows)


def _first_row(pool: Pool, number: int) -> int:
    start_sample = pool.start_sample[pool.chunk_song == number].min()
    return int(start_sample / pool.songs[number].sample_rate_hz / GRID_S)
