"""This module gives the embeddings of a pool's chunks, read where they are kept, else computed.

They stand in the folder of a generation, by what the model is. Chunks that another generation had too are
taken over from it, so that a growing pool costs what is new. With embeddings at hand onnxruntime stays out.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.array_files import ArrayFile, ArrayFileError
from model.base.arrays import BoolArray, IntArray
from model.base.errors import PoolError
from model.saved.contract import ModelContract
from stream.index.model_graphs import Chunks, VectorGraphs, graphs_of, vectors_key
from stream.index.vector_index import EmbeddingIndex
from stream.pool.pool import Pool, generation_folder

_log = logging.getLogger(__name__)

CHUNKS = "chunks"
"""The array beside the embeddings that says which chunks they are of."""
TOLD_FROM_CHUNKS = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """The embeddings of some chunks, and how they were come by."""

    index: EmbeddingIndex
    reused: int
    """Chunks that were taken over from another generation."""
    computed: int


def pool_embeddings(
    pool: Pool, model: Path, contract: ModelContract, *, threads: int = 2, write: bool = True
) -> EmbeddingIndex:
    """Return the embeddings of every chunk of `pool`, in its order.

    They are read where an earlier call, `endlos pool build` or `endlos precompute` has left them. Else they
    are computed and, with `write`, left there; in a folder that may not be written they stay in memory.
    `ModelError` when the model cannot be run, or gives what is no number.
    """
    towers = graphs_of(model, contract)
    chunks = towers.pool_chunks(pool)
    home = generation_folder(pool.folder, pool.generation)
    found = opened(home, towers, chunks)
    if found is not None:
        return found
    if len(pool) >= TOLD_FROM_CHUNKS:
        _log.warning(
            "the embeddings of %d chunks are computed first; `endlos precompute` does that beforehand",
            len(pool),
        )
    embedded = embeddings(chunks, towers, earlier_homes(home), threads=threads)
    if write:
        try:
            keep(home, towers, chunks, embedded.index)
            return opened(home, towers, chunks) or embedded.index
        except PoolError as error:
            _log.info("embeddings are not kept: %s", error)
    return embedded.index


def opened(home: Path, towers: VectorGraphs, chunks: Chunks, *, told: bool = True) -> EmbeddingIndex | None:
    """Read the embeddings in the generation folder `home`; None when there are none of these very chunks.

    told: whether a warning says so where there are others; not for who makes them anew there.
    """
    folder = towers.place(home)
    if not folder.is_dir():
        return None
    try:
        return kept(folder, chunks.identities)
    except PoolError as error:
        if told:
            _log.warning("embeddings are computed anew: %s", error)
        return None


def kept(folder: Path, named: IntArray) -> EmbeddingIndex:
    """Read the embeddings in `folder`; `PoolError` when they are damaged, or not of the chunks `named`.

    named: `Chunks.identities`, or the first numbers of each.
    """
    index = EmbeddingIndex.open(folder, chunks=len(named), key=vectors_key(folder.name))
    if not np.array_equal(_identities_in(folder)[:, : named.shape[1]], named):
        raise PoolError(f"{folder} holds embeddings of other chunks; delete it, it will be made again")
    return index


def embeddings(
    chunks: Chunks,
    towers: VectorGraphs,
    earlier: Sequence[Path] = (),
    *,
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Embedded:
    """Embed chunks; those that the generation folders `earlier` know (the first counts) are taken over.

    progress: told how many are there. `ModelError` when a graph cannot be run, or gives what is no number.
    """
    known = _Known.among(chunks, towers, earlier)
    missing = np.arange(len(chunks)) if known is None else np.flatnonzero(~known.mask)
    there = len(chunks) - len(missing)
    tell = progress or (lambda done: None)
    tell(there)
    if known is not None and not len(missing):
        return Embedded(index=known.index, reused=there, computed=0)
    ends, starts = towers.embed(chunks, missing, threads=threads, progress=lambda done: tell(there + done))
    index = EmbeddingIndex.quantised(ends, starts, metric=towers.contract.metric, key=towers.key)
    if known is not None:
        index = known.index.with_rows(missing, index)
    return Embedded(index=index, reused=there, computed=len(missing))


def keep(home: Path, towers: VectorGraphs, chunks: Chunks, index: EmbeddingIndex) -> None:
    """Write embeddings into the generation folder `home`, for `opened`; `PoolError` when that cannot be."""
    index.write(towers.place(home), {CHUNKS: chunks.identities})


def earlier_homes(home: Path) -> list[Path]:
    """Return the folders of the other generations of the same pool, newest first."""
    return sorted(
        (path for path in home.parent.glob("*") if path.name.isdigit() and path != home), reverse=True
    )


def _identities_in(folder: Path) -> IntArray:
    try:
        found: IntArray = ArrayFile.of(folder / f"{CHUNKS}.npy").read()
    except (OSError, ArrayFileError) as error:
        raise PoolError(f"{folder} does not say whose embeddings it holds ({error})") from error
    if found.ndim != 2 or found.shape[1] < 3 or found.dtype != np.int64:
        raise PoolError(f"{folder} does not say whose embeddings it holds")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Embeddings of another generation, brought into the order of some chunks."""

    index: EmbeddingIndex
    mask: BoolArray
    """`(N,)`: where the other generation knew the chunk; the other rows say nothing."""

    @classmethod
    def among(cls, chunks: Chunks, towers: VectorGraphs, homes: Sequence[Path]) -> "_Known | None":
        """Return those of the first of `homes` that has any; None when none has."""
        for folder in (towers.place(home) for home in homes):
            # Tidied away meanwhile, or damaged: the next one, then.
            with suppress(PoolError):
                theirs = _identities_in(folder)
                index = EmbeddingIndex.open(folder, chunks=len(theirs), key=towers.key)
                rows = _rows_of(theirs[:, : chunks.identities.shape[1]], chunks.identities)
                if (rows >= 0).any():
                    return cls(index=index.take(np.maximum(rows, 0)), mask=rows >= 0)
        return None


def _rows_of(theirs: IntArray, ours: IntArray) -> IntArray:
    """Return `(len(ours),)` int64: the row of `theirs` that equals each row of `ours`, -1 where none does."""
    row_type = np.dtype((np.void, ours.shape[1] * 8))
    known, wanted = (np.ascontiguousarray(side).view(row_type)[:, 0] for side in (theirs, ours))
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    rows = order[places]
    return np.where(known[rows] == wanted, rows, -1).astype(np.int64)
