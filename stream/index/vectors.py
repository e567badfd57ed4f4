"""This module gives the embeddings of a pool's chunks, read where they are kept, else computed.

They stand in the folder of a generation, by what the model is. Chunks that another generation had too are
taken over from it, and a build shares their files with it, so that a growing pool costs what is new. With
embeddings at hand onnxruntime stays out.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from model.base.array_files import ArrayFileError
from model.base.arrays import FloatArray, IntArray
from model.base.errors import PoolError
from model.saved.contract import ModelContract
from stream.index.linked_rows import LinkedRows, grow_rows
from stream.index.metrics import Metric
from stream.index.model_graphs import Chunks, VectorGraphs, graphs_of, vectors_key
from stream.index.vector_index import EmbeddingIndex
from stream.pool.pool import Pool, generation_folder

_log = logging.getLogger(__name__)

_MIXING = np.uint64(0x9E3779B97F4A7C15)
"""An odd number without a pattern: products with it spread over all 64 bits."""
CHUNKS = "chunks"
"""The array beside the embeddings that says which chunks they are of."""
TOLD_FROM_CHUNKS = 2_000


class Embedder(Protocol):
    """What gives vectors of chunks: the graphs of a model, or the levels of bands."""

    @property
    def key(self) -> str:
        """What the vectors are computed from."""

    @property
    def metric(self) -> Metric:
        """How they are compared."""

    def place(self, home: Path) -> Path:
        """Return where the vectors of the generation in the folder `home` stand."""

    def embed(
        self, chunks: Chunks, rows: IntArray, *, threads: int, progress: Callable[[int], None]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the vectors of the ends and of the starts of `rows`, each `(len(rows), width)` float32.

        Those of a chunk depend on what is seen of it alone. progress: told how many are done.
        """


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
    if not np.array_equal(_identities_in(LinkedRows.of(folder))[:, : named.shape[1]], named):
        raise PoolError(f"{folder} holds embeddings of other chunks; delete it, it will be made again")
    return index


def embeddings(
    chunks: Chunks,
    embedder: Embedder,
    earlier: Sequence[Path] = (),
    *,
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Embedded:
    """Embed chunks; those that the generation folders `earlier` know (the first counts) are taken over.

    progress: told how many are there. `ModelError` when a graph cannot be run, or gives what is no number.
    """
    known = _Known.among(chunks, embedder, earlier)
    missing = np.arange(len(chunks)) if known is None else known.missing
    there = len(chunks) - len(missing)
    tell = progress or (lambda done: None)
    tell(there)
    if not len(missing) and known is not None:
        return Embedded(index=known.taken(), reused=there, computed=0)
    index = _embedded(chunks, embedder, missing, threads, lambda done: tell(there + done))
    if known is not None:
        index = known.taken().with_rows(missing, index)
    return Embedded(index=index, reused=there, computed=len(missing))


def keep(home: Path, embedder: Embedder, chunks: Chunks, index: EmbeddingIndex) -> None:
    """Write embeddings into the generation folder `home`, for `opened`; `PoolError` when that cannot be."""
    index.write(embedder.place(home), {CHUNKS: chunks.identities})


def keep_grown(home: Path, embedder: Embedder, chunks: Chunks, *, threads: int = 2) -> None:
    """Leave embeddings in the folder `home` of a generation that nobody reads yet.

    Files are shared with another generation of the pool, where one knows most of the chunks: one build at a
    time may do that. Raises as `embeddings` and `keep` do.
    """
    known = _Known.among(chunks, embedder, earlier_homes(home))
    if known is None or not known.stored.grows(known.places):
        keep(home, embedder, chunks, embeddings(chunks, embedder, earlier_homes(home), threads=threads).index)
        return
    added, missing = {}, known.missing
    if len(missing):
        index = _embedded(chunks, embedder, missing, threads, lambda done: None)
        added = {**index.arrays, CHUNKS: chunks.identities[missing]}
    grow_rows(embedder.place(home), known.index.note, known.stored, known.places, added)


def earlier_homes(home: Path) -> list[Path]:
    """Return the folders of the other generations of the same pool, newest first."""
    return sorted(
        (path for path in home.parent.glob("*") if path.name.isdigit() and path != home), reverse=True
    )


def _embedded(
    chunks: Chunks, embedder: Embedder, rows: IntArray, threads: int, progress: Callable[[int], None]
) -> EmbeddingIndex:
    ends, starts = embedder.embed(chunks, rows, threads=threads, progress=progress)
    return EmbeddingIndex.quantised(ends, starts, metric=embedder.metric, key=embedder.key)


def _identities_in(rows: LinkedRows) -> IntArray:
    try:
        found: IntArray = np.asarray(rows.read(CHUNKS))
    except (KeyError, ArrayFileError) as error:
        raise PoolError(f"{rows.folder} does not say whose embeddings it holds ({error})") from error
    if found.ndim != 2 or found.shape[1] < 3 or found.dtype != np.int64:
        raise PoolError(f"{rows.folder} does not say whose embeddings it holds")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Embeddings of another generation, and where those of some chunks stand among them."""

    stored: LinkedRows
    index: EmbeddingIndex
    """As that generation has them."""
    found: IntArray
    """`(N,)` int64: the row of `index` that is each chunk, -1 where none is."""

    @classmethod
    def among(cls, chunks: Chunks, embedder: Embedder, homes: Sequence[Path]) -> "_Known | None":
        """Return those of the first of `homes` that has any; None when none has."""
        for folder in (embedder.place(home) for home in homes):
            # Tidied away meanwhile, or damaged: the next one, then.
            with suppress(PoolError):
                stored = LinkedRows.of(folder)
                theirs = _identities_in(stored)
                index = EmbeddingIndex.open(folder, chunks=len(theirs), key=embedder.key, held=False)
                found = _rows_of(theirs[:, : chunks.identities.shape[1]], chunks.identities)
                if (found >= 0).any():
                    return cls(stored=stored, index=index, found=found)
        return None

    @property
    def missing(self) -> IntArray:
        """The chunks that it does not know, `(n,)` int64."""
        return np.flatnonzero(self.found < 0)

    @property
    def places(self) -> IntArray:
        """`(N,)` int64: where the chunks stand in its files; -1 where they do not."""
        return np.where(self.found < 0, -1, np.asarray(self.stored.rows, dtype=np.int64)[self.found])

    def taken(self) -> EmbeddingIndex:
        """Return the embeddings in the order of the chunks; of the missing ones they say nothing."""
        return self.index.take(np.maximum(self.found, 0))


def _rows_of(theirs: IntArray, ours: IntArray) -> IntArray:
    """Return `(len(ours),)` int64: the row of `theirs` that equals each row of `ours`, -1 where none does."""
    known, wanted = _mixed(theirs), _mixed(ours)
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    rows = order[places]
    return np.where((theirs[rows] == ours).all(axis=1), rows, -1)


def _mixed(named: IntArray) -> IntArray:
    """Return a number for each row, `(N,)`, by which rows are sorted fast; equal rows have equal ones."""
    mixed = np.zeros(len(named), dtype=np.uint64)
    for column in named.T:
        mixed = (mixed ^ column.astype(np.uint64)) * _MIXING
    return mixed.view(np.int64)
