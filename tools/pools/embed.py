"""This module makes the embeddings of a pool beforehand, so that playing only maps them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.stored_rows import AnyPlaces
from model.saved.contract_file import load_contract
from model.saved.scoring import EMBEDDED
from stream.index.edge_index import STORED_FROM_CHUNKS, BandLevels
from stream.index.model_graphs import graphs_of, identities
from stream.index.vectors import earlier_homes, embeddings, keep, keep_grown, opened
from stream.pool.columns import StoredColumns
from stream.pool.pool import generation_folder, open_pool
from stream.scoring.buckets import Buckets


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """What was done."""

    path: Path
    chunks: int
    reused: int
    """Chunks whose embeddings were there, or were taken over from another generation of the pool."""
    embedded: int
    """Chunks that were embedded now."""
    elapsed_s: float
    bucket_sizes: tuple[int, ...] = ()
    """Chunks in each bucket, where the model sorts them into buckets."""


def embeds(model: Path) -> bool:
    """Return whether a model works on embeddings."""
    return load_contract(model).scoring in EMBEDDED


def embed_generation(
    home: Path,
    stored: StoredColumns,
    rows: AnyPlaces,
    audio_hashes: Sequence[str],
    counts: Sequence[int],
    model: Path,
    *,
    threads: int = 2,
) -> None:
    """Leave the embeddings of `model` in the folder `home` of a generation that nobody reads yet, and of a
    large one the band levels that are looked at where the model fails.

    stored, rows: its columns, and where its chunks stand in them. audio_hashes, counts: the songs in their
    order, and how many chunks each has. What other generations know is taken over. Raises as `embed_pool`
    does.
    """
    contract = load_contract(model)
    towers = graphs_of(model, contract)
    columns = stored.read(rows, {"start_sample", "end_sample", "heads", "tails", *towers.reads})
    songs = np.repeat(np.arange(len(counts)), counts)
    named = identities(audio_hashes, songs, columns["start_sample"], columns["end_sample"])
    keep_grown(home, towers, towers.chunks(named, columns, home), threads=threads)
    if len(named) >= STORED_FROM_CHUNKS and contract.edge_samples <= stored.edge_samples:
        levels = BandLevels(edge_samples=contract.edge_samples)
        keep_grown(home, levels, levels.chunks(named, columns["heads"], columns["tails"]))


def embed_pool(
    pool_folder: Path,
    model: Path,
    *,
    threads: int,
    progress: Callable[[int, int], None] | None = None,
) -> EmbedReport:
    """Leave what `model` needs of the current generation of a pool; what is known is not done again.

    progress: told how many chunks are there, of how many. Raises `PoolError` or `ModelError` for what cannot
    be read or written, does not fit, or gives no numbers.
    """
    began_s = time.monotonic()
    pool = open_pool(pool_folder)
    towers = graphs_of(model, load_contract(model))
    chunks = towers.pool_chunks(pool)
    home = generation_folder(pool.folder, pool.generation)
    tell = progress or (lambda done, total: None)
    computed, index = 0, opened(home, towers, chunks, told=False)
    if index is None:
        embedded = embeddings(
            chunks,
            towers,
            earlier_homes(home),
            threads=threads,
            progress=lambda done: tell(done, len(chunks)),
        )
        keep(home, towers, chunks, embedded.index)
        computed, index = embedded.computed, embedded.index
    tell(len(chunks), len(chunks))
    walk = towers.contract.walk
    return EmbedReport(
        path=towers.place(home),
        chunks=len(chunks),
        reused=len(chunks) - computed,
        embedded=computed,
        elapsed_s=time.monotonic() - began_s,
        bucket_sizes=() if walk is None else tuple(Buckets.of(index, walk).sizes.tolist()),
    )
