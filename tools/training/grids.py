"""This module trains towers on grids of a pool's songs, split by songs, and prints what came of it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.approaches.tower.data import GRID_S, GridArray, JudgedJoin, SongSet, song_grid
from model.approaches.tower.settings import TowerSettings
from model.base.arrays import IntArray
from model.base.errors import DecodeError, ModelError
from model.features.spectra import SPECTRAL_VERSION
from model.learning.measures import KEPT_BACK, UNSEEN
from model.saved.contract import carried_model, chosen_model, load_contract
from model.saved.learned import learned_songs, songs_record
from stream.audio.decode import decode
from stream.pool.feedback import LabelledJoin, labelled_joins
from stream.pool.pool import Pool, Song, open_pool
from tools.pools.place import GRID_FOLDER, save_array
from tools.terminal import print_table
from tools.training.common import keep_back, print_exported, training_packages

if TYPE_CHECKING:
    from model.approaches.tower.measures import SuccessorRanks
    from model.approaches.tower.training import TowerReport
    from model.learning.loop import TrainProgress

MOST_SONGS = 500
"""Songs that are learned from, drawn by the seed: about 3 GB of grids."""
_PRETRAINED = "pretrained"


def train_on_grids(
    pool_folder: Path,
    out: Path,
    settings: TowerSettings,
    *,
    start_from: str | None = None,
    resume: bool = False,
    prepared: Callable[[int, int], None] | None = None,
    progress: "Callable[[TrainProgress[SuccessorRanks]], None] | None" = None,
) -> "TowerReport":
    """Train on a share of the pool's songs, measure on the others too, and export the model into `out`.

    start_from: `pretrained`, or a model of approach tower as `chosen_model` takes it; goes with
    `settings.pretrained`. What it had learned from counts as learned. prepared: told how many songs of how
    many have their grid.
    Raises `PoolError` for a pool that cannot be read, `ModelError` for one that nothing can be learned from,
    and `model.learning.loop.TrainingStoppedError` when it is interrupted.
    """
    start = None if start_from is None else start_model(start_from)
    before = frozenset() if start is None else learned_songs(load_contract(start))
    pool = open_pool(pool_folder)
    train, unseen = song_sets(pool, settings, prepared, before=before)
    with training_packages():
        from model.approaches.tower.export import WEIGHTS_FILE
        from model.approaches.tower.training import train_towers
    return train_towers(
        train,
        unseen,
        out,
        settings,
        weights=None if start is None else start / WEIGHTS_FILE,
        unseen_name=KEPT_BACK if before is None else UNSEEN,
        resume=resume,
        progress=progress,
    )


def start_model(start_from: str) -> Path:
    """Return the folder of the towers that a training is to begin from; `ModelError` where they are none."""
    folder = carried_model("tower") if start_from == _PRETRAINED else chosen_model(Path(start_from))
    approach = load_contract(folder).approach
    if approach != "tower":
        raise ModelError(f"{folder} is a model of approach {approach}; --from takes one of approach tower")
    return folder


def song_sets(
    pool: Pool,
    settings: TowerSettings,
    prepared: Callable[[int, int], None] | None = None,
    *,
    before: frozenset[str] | None = frozenset(),
) -> tuple[SongSet, SongSet | None]:
    """Return the songs to learn from and those kept back (None when none are), from dead air to dead air.

    before: audio hashes of songs that were learned from before; none of them is kept back. None: not known.
    """
    rng = np.random.default_rng([settings.seed, 0])
    songs = np.sort(rng.permutation(np.unique(pool.chunk_song))[:MOST_SONGS])
    kept_back = keep_back(pool, songs, settings.validation_share, rng, learned=before or frozenset())
    judged = labelled_joins(pool.folder)
    grids: dict[int, GridArray] = {}
    for done, number in enumerate(songs.tolist()):
        grid = _kept_grid(pool.folder, pool.songs[number])
        if grid is not None:
            grids[number] = _sounding(pool, number, grid)
        if prepared is not None:
            prepared(done + 1, len(songs))
    train = _song_set(pool, songs[~kept_back], grids, judged, before)
    unseen = _song_set(pool, songs[kept_back], grids, [])
    if not train.grids:
        raise ModelError(f"no song of {pool.folder} can be read; put the files back or build the pool again")
    return train, unseen if unseen.grids else None


def print_grids_report(report: "TowerReport") -> None:
    """Print what a training came to: where the successor stands, calibration, notes, files."""
    for note in report.notes:
        print(note)
    print(
        f"{report.epochs} epochs, {report.steps} batches, {report.learned_parameters} learned parameters, "
        f"{report.elapsed_s:.0f} s"
    )
    print_table(
        ("measured on", "chunks", "top 1", "top 10", "MRR", "AUC same song", "AUC other songs"),
        [
            (
                name,
                figures.chunks,
                f"{figures.top_1:.3f}",
                f"{figures.top_10:.3f}",
                f"{figures.mrr:.3f}",
                f"{figures.auc_same:.3f}",
                f"{figures.auc_cross:.4f}",
            )
            for name, figures in report.ranks.items()
        ],
    )
    print(f"Probabilities are calibrated on {report.calibrated_on}")
    print_exported(report.export_difference, report.files)


def describe_grid_validations(ranks: "dict[str, SuccessorRanks]") -> str:
    """Return where the successor stands in each set, side by side."""
    return "; ".join(
        f"{name}: first {value.top_1:.3f}, in ten {value.top_10:.3f}, AUC same song {value.auc_same:.3f}"
        for name, value in ranks.items()
    )


def _song_set(
    pool: Pool,
    songs: IntArray,
    grids: dict[int, GridArray],
    judged: list[LabelledJoin],
    before: frozenset[str] | None = frozenset(),
) -> SongSet:
    held = [number for number in songs.tolist() if number in grids]
    place = {pool.songs[number].audio_hash: (at, number) for at, number in enumerate(held)}

    def row(number: int, sample: int) -> int:
        return round(sample / pool.songs[number].sample_rate_hz / GRID_S) - _first_row(pool, number)

    joins = [
        JudgedJoin(
            from_song=place[join.from_hash][0],
            from_row=row(place[join.from_hash][1], join.from_end_sample),
            to_song=place[join.to_hash][0],
            to_row=row(place[join.to_hash][1], join.to_start_sample),
            liked=join.label == 1,
        )
        for join in judged
        if join.from_hash in place and join.to_hash in place
    ]
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
        judged=joins,
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
    mapped: GridArray = np.load(kept, mmap_mode="r")
    return mapped


def _sounding(pool: Pool, number: int, grid: GridArray) -> GridArray:
    """Return the rows from a song's first chunk to its last: dead air belongs to none."""
    end_sample = pool.end_sample[pool.chunk_song == number].max()
    last = int(end_sample / pool.songs[number].sample_rate_hz / GRID_S)
    return grid[_first_row(pool, number) : last]


def _first_row(pool: Pool, number: int) -> int:
    start_sample = pool.start_sample[pool.chunk_song == number].min()
    return int(start_sample / pool.songs[number].sample_rate_hz / GRID_S)
