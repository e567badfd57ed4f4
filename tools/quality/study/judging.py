"""This module ranks what follows among the chunks of the songs that a model is asked about, at each gap."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import IntArray
from stream.pool.pool import Pool
from stream.scoring.opening import open_scorer
from stream.scoring.settings import ScoringSettings
from tools.quality.ranking.chunks import cut_songs, gapped_pools, gapped_sides
from tools.quality.ranking.protocol import all_scores
from tools.quality.ranking.ranks import ranking_figures
from tools.quality.study.runs import Channels

KEPT_FIGURES = ("all/mrr", "all/auc", "same/auc", "cross/auc", "all/top_1")


@dataclass(frozen=True, kw_only=True)
class AskedChunks:
    """Which chunks of a pool are asked about."""

    songs: tuple[int, ...]
    """Numbers of their songs in the pool."""
    gaps_ms: tuple[float, ...]
    """What is missing at both ends, of the music."""
    speed: float
    """How much faster the files are declared to be than the music is."""
    chunks_a_song: int
    """At most so many of each song, from its middle."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AskedPools:
    """The chunks that are asked about, as a pool for each gap in ms of the music."""

    key: tuple[Path, int, AskedChunks]
    pools: tuple[tuple[float, Pool], ...]
    folder: Path
    """Where their files are."""


_kept: list[AskedPools] = []
"""The last ones of this process: runs that ask about the same chunks come one after the other."""


def asked_pools(pool: Pool, asked: AskedChunks, scratch: Path) -> AskedPools:
    """Return the chunks that are asked about with each gap, decoded once for many runs.

    scratch: folder in which they have one of their own. `EndlosError` when there are no two chunks.
    """
    key = (pool.folder, pool.generation, asked)
    if not _kept or _kept[0].key != key:
        forget_pools()
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=scratch))
        declared_ms = [gap_ms / asked.speed for gap_ms in asked.gaps_ms]
        numbers = np.array(asked.songs, dtype=np.int64)
        cut = cut_songs(pool, numbers, chunk_s=None, longest_gap_s=max(declared_ms) / 1000)
        cut = replace(cut, bounds=tuple(_middle(spans, asked.chunks_a_song) for spans in cut.bounds))
        found = list(gapped_pools(cut, declared_ms, folder, lambda done: None))
        pools = tuple((gap_ms, gapped) for gap_ms, (_, gapped) in zip(asked.gaps_ms, found, strict=True))
        _kept.append(AskedPools(key=key, pools=pools, folder=folder))
    return _kept[0]


def forget_pools() -> None:
    """Remove the files of the chunks that were asked about last."""
    while _kept:
        shutil.rmtree(_kept.pop().folder, ignore_errors=True)


def ranking_parts(model: Path, asked: AskedPools, channels: Channels, seed: int) -> dict[str, Any]:
    """Return by gap in ms how the model ranks what follows, as sums and counts of each song (JSON values).

    songs: the numbers of the songs that these are of, in the pool.
    """
    found = {}
    speed = asked.key[2].speed
    for gap_ms, pool in asked.pools:
        seen = replace(heard(pool, channels), sides=gapped_sides(pool, gap_ms / speed / 1000))
        scorer = open_scorer(seen, ScoringSettings(model=model, threads=1, precomputed=False)).scorer
        assert scorer is not None  # a model was named
        following = seen.successors()
        figures = ranking_figures(
            all_scores(scorer, len(seen)), seen.chunk_song, following, pieces=(), resamples=1, seed=seed
        )
        songs = np.unique(seen.chunk_song[following >= 0])
        found[f"{gap_ms:g}"] = {
            "queries": figures.queries,
            "candidates": figures.candidates,
            "songs": songs.tolist(),
            **{name: figures.per_song[name].tolist() for name in KEPT_FIGURES if name in figures.per_song},
        }
    return found


def heard(pool: Pool, channels: Channels) -> Pool:
    """Return the pool as a model hears it that learned from these channels: the first, or the mean."""
    if channels != "mean":
        return pool
    return replace(pool, heads=mean_channels(pool.heads), tails=mean_channels(pool.tails))


def mean_channels(edges: Any) -> Any:
    """Return `(N, 2, samples)` edges, both of whose channels are the mean of both."""
    return np.repeat(np.asarray(edges, dtype=np.float32).mean(axis=1, keepdims=True), 2, axis=1)


def _middle(spans: IntArray, most: int) -> IntArray:
    first = max(0, (len(spans) - most) // 2)
    return spans[first : first + most]
