"""This module trains approach `binary` from a pool's edges, split by songs, and prints what came of it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.approaches.binary.settings import BinarySettings
from model.base.arrays import BoolArray
from model.features.edges import EDGE_RATE_HZ
from model.learning.edge_set import EdgeSet
from model.learning.measures import Measure
from model.saved.learned import songs_record
from stream.pool.pool import Pool, open_pool
from tools.terminal import print_table
from tools.training.common import keep_back, print_exported, training_packages

if TYPE_CHECKING:
    from model.approaches.binary.training import BinaryReport
    from model.learning.loop import TrainProgress


def train_on_edges(
    pool_folder: Path,
    out: Path,
    settings: BinarySettings,
    *,
    resume: bool = False,
    progress: "Callable[[TrainProgress[Measure]], None] | None" = None,
) -> "BinaryReport":
    """Train on a share of the pool's songs, measure on the others too, and export the model into `out`.

    Raises `PoolError` for a pool that cannot be read, `ModelError` for one that nothing can be learned from,
    and `model.learning.loop.TrainingStoppedError` when it is interrupted.
    """
    pool = open_pool(pool_folder)
    train, unseen = split_pool(pool, settings)
    with training_packages():
        from model.approaches.binary.training import train_binary
    return train_binary(train, unseen, out, settings, resume=resume, progress=progress)


def split_pool(pool: Pool, settings: BinarySettings) -> tuple[EdgeSet, EdgeSet | None]:
    """Return the edges of the songs to learn from and of those kept back (None when none are)."""
    rng = np.random.default_rng([settings.seed, 0])
    kept_back = keep_back(pool, pool.chunk_song, settings.validation_share, rng)
    train = pool_edges(pool, ~kept_back)
    return train, pool_edges(pool, kept_back) if kept_back.any() else None


def pool_edges(pool: Pool, chosen: BoolArray) -> EdgeSet:
    """Return the edges of the chosen chunks, whole songs of the pool; they stay on disk."""
    songs = np.unique(pool.chunk_song[chosen])
    length_s = (pool.end_s() - pool.start_s())[chosen]
    spans = np.stack([pool.chunk_song, pool.start_sample, pool.end_sample], axis=1)[chosen]
    digest = hashlib.blake2b(spans.tobytes(), digest_size=16)
    for song in songs:
        digest.update(pool.songs[song].audio_hash.encode())
    return EdgeSet(
        chunk_song=pool.chunk_song[chosen],
        chunk_samples=np.floor(length_s * EDGE_RATE_HZ + 1e-6).astype(np.int64),
        rows=np.flatnonzero(chosen),
        heads=pool.heads,
        tails=pool.tails,
        source={
            **songs_record([pool.songs[song].audio_hash for song in songs]),
            "chunks": int(chosen.sum()),
            "digest": digest.hexdigest(),
        },
    )


def print_edges_report(report: "BinaryReport") -> None:
    """Print what a training came to: the three validations side by side, rankings, notes, files."""
    for note in report.notes:
        print(note)
    print(
        f"{report.epochs} epochs of {report.pairs} pairs, {report.learned_parameters} learned parameters, "
        f"edge {report.edge_samples / EDGE_RATE_HZ:.2f} s, {report.elapsed_s:.0f} s"
    )
    print_table(
        ("measured on", "accuracy", "loss", "AUC", "pairs"),
        [
            (name, f"{value.accuracy:.3f}", f"{value.loss:.3f}", f"{value.auc:.3f}", value.pairs)
            for name, value in report.validations.items()
        ],
    )
    kinds = ("all", "cross", "same")
    print_table(
        ("AUC, next chunk against those of", "all songs", "other songs", "the same song"),
        [
            (name, *(f"{figures[kind]:.3f}" if kind in figures else "-" for kind in kinds))
            for name, figures in report.ranking.items()
        ],
    )
    print_exported(report.export_difference, report.files)


def describe_edge_validations(validations: dict[str, Measure]) -> str:
    """Return accuracy and AUC on each set, side by side."""
    return "; ".join(
        f"{name} {value.accuracy:.3f} (AUC {value.auc:.3f})" for name, value in validations.items()
    )
