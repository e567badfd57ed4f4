"""This module gives the embeddings of a pool's chunks, mapped where they are kept, else computed.

They stand in the folder of a generation, by what the model is. Chunks that another generation had too are
taken over from it, so that a growing pool costs what is new. With embeddings at hand onnxruntime stays out.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.array_files import ArrayFile, ArrayFileError
from model.base.arrays import BoolArray, FloatArray, HalfArray, IntArray
from model.base.errors import ModelError, PoolError
from model.base.mapped import StoredRows, give_back
from model.features.spectra import SPECTRAL_VERSION, SPECTRUM_BINS, SPECTRUM_FRAMES
from model.saved.contract import ModelContract, graphs_hash
from model.saved.scoring import VECTOR_ROLES
from stream.index.metrics import METRICS
from stream.index.vector_index import EmbeddingIndex
from stream.pool.pool import Pool, generation_folder

SeenArray = HalfArray | FloatArray | StoredRows

_log = logging.getLogger(__name__)

VECTORS_FOLDER = "embeddings"
CHUNKS = "chunks"
"""The array beside the embeddings that says which chunks they are of."""
SLICE_ROWS = 32
"""Chunks that go through a tower at once; the last are filled up, so that no result depends on the rest."""
TOLD_FROM_CHUNKS = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """The embeddings of some chunks, and how they were come by."""

    index: EmbeddingIndex
    reused: int
    """Chunks that were taken over from another generation."""
    computed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunks:
    """The chunks of one generation, as far as a model sees them."""

    identities: IntArray
    """`(N, 3)` int64: song, start and end sample; the same in every generation."""
    heads: SeenArray
    """`(N, *seen shape)` float16 or float32, may be memory-mapped."""
    tails: SeenArray

    def __len__(self) -> int:
        return len(self.identities)

    def take(self, rows: IntArray) -> "Chunks":
        """Return some of them, read into memory."""
        return Chunks(identities=self.identities[rows], heads=self.heads[rows], tails=self.tails[rows])


@dataclass(frozen=True, kw_only=True)
class VectorGraphs:
    """The graphs of a model of scoring `vectors`; `ModelError` when they are not of that form."""

    folder: Path
    contract: ModelContract

    def __post_init__(self) -> None:
        inputs = (None, *self.seen_shape)
        widths = set()
        for role in VECTOR_ROLES:
            graph = self.contract.graphs[role]
            shapes = [tensor.shape for tensor in (*graph.inputs, *graph.outputs)]
            if len(shapes) != 2 or shapes[0] != inputs or len(shapes[1]) != 2:
                raise ModelError(
                    f"{self.folder} has a graph for its {role} from and to {shapes}, expected {inputs} and "
                    "(None, width); train or copy the model again"
                )
            widths.add(shapes[1][1])
        width, widest = widths.pop(), METRICS[self.contract.metric].widest
        if widths or width is None or not 1 <= width <= widest:
            raise ModelError(
                f"{self.folder} has towers whose embeddings are not of one width of at most {widest}; "
                "train or copy the model again"
            )

    @property
    def seen_shape(self) -> tuple[int, int]:
        """Shape of what a graph sees of one side of a chunk."""
        if self.contract.features == "edges":
            return self.contract.edge_samples, 1
        return SPECTRUM_FRAMES, SPECTRUM_BINS

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the pool's arrays that it sees."""
        return ("heads", "tails") if self.contract.features == "edges" else ("spectra",)

    def pool_chunks(self, pool: Pool) -> Chunks:
        """Return the chunks of an open pool; `PoolError` when it does not keep what the model sees."""
        return self.chunks(
            pool_identities(pool), {name: getattr(pool, name) for name in self.reads}, pool.folder
        )

    def chunks(self, named: IntArray, columns: Mapping[str, SeenArray | None], folder: Path) -> Chunks:
        """Return the chunks `named` (`identities`) with what the model sees of them.

        columns: the arrays of `reads` (more do no harm) of the pool in `folder`. `PoolError` when one is
        None, or too short.
        """
        if self.contract.features == "spectra":
            spectra = columns["spectra"]
            if spectra is None:
                raise PoolError(
                    f"{folder} keeps no spectra, which {self.folder} sees; "
                    "run `endlos pool build` again, or use another model"
                )
            return Chunks(identities=named, heads=spectra[:, 0], tails=spectra[:, 1])
        samples, heads, tails = self.contract.edge_samples, columns["heads"], columns["tails"]
        if heads is None or tails is None or heads.shape[2] < samples:
            raise PoolError(
                f"{folder} keeps shorter edges than the {self.contract.edge_s:.2f} s that {self.folder} "
                "sees; build the pool again with longer --edge-s"
            )
        first = tails.shape[2] - samples
        return Chunks(identities=named, heads=heads[:, 0, :samples, None], tails=tails[:, 0, first:, None])

    @property
    def name(self) -> str:
        """Names the very graphs: a model trained anew has another name."""
        return graphs_hash(self.folder, self.contract)

    def place(self, home: Path) -> Path:
        """Return where the embeddings of the generation in the folder `home` stand."""
        return home / VECTORS_FOLDER / self.name

    @property
    def key(self) -> str:
        """What the embeddings were computed from."""
        return _key(self.name)

    def embed(
        self, chunks: Chunks, rows: IntArray, *, threads: int, progress: Callable[[int], None]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the embeddings of the ends and of the starts of `rows`, each `(len(rows), width)` float32.

        progress: told how many are done.
        """
        # Here, because most runs have no need of it.
        from stream.index.graphs import open_graph, run_graph

        sides = []
        for done, role, side in ((0, "ends", chunks.tails), (len(rows) // 2, "starts", chunks.heads)):
            graph = self.contract.graphs[role]
            session = open_graph(self.folder, graph, threads=threads)
            seen = np.zeros((SLICE_ROWS, *self.seen_shape), dtype=np.float32)
            found = []
            for first in range(0, len(rows), SLICE_ROWS):
                part = rows[first : first + SLICE_ROWS]
                seen[: len(part)] = side[part]
                seen[len(part) :] = 0.0
                found.append(run_graph(session, {graph.inputs[0].name: seen})[0][: len(part)])
                progress(done + (first + len(part)) // 2)
            sides.append(np.concatenate(found))
            give_back(side)
        return sides[0], sides[1]


def pool_embeddings(
    pool: Pool, model: Path, contract: ModelContract, *, threads: int = 2, write: bool = True
) -> EmbeddingIndex:
    """Return the embeddings of every chunk of `pool`, in its order.

    They are mapped where an earlier call, `endlos pool build` or `endlos precompute` has left them. Else they
    are computed and, with `write`, left there; in a folder that may not be written they stay in memory.
    `ModelError` when the model cannot be run, or gives what is no number.
    """
    towers = VectorGraphs(folder=model, contract=contract)
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
        except PoolError as error:
            _log.info("embeddings are not kept: %s", error)
    return embedded.index


def opened(home: Path, towers: VectorGraphs, chunks: Chunks, *, told: bool = True) -> EmbeddingIndex | None:
    """Map the embeddings in the generation folder `home`; None when there are none of these very chunks.

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
    """Map the embeddings in `folder`; `PoolError` when they are damaged, or not of the chunks `named`."""
    index = EmbeddingIndex.open(folder, chunks=len(named), key=_key(folder.name))
    if not np.array_equal(_identities_in(folder), named):
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


def pool_identities(pool: Pool) -> IntArray:
    """Return the `identities` of an open pool's chunks."""
    hashes = [song.audio_hash for song in pool.songs]
    return identities(hashes, pool.chunk_song, pool.start_sample, pool.end_sample)


def identities(audio_hashes: Sequence[str], chunk_song: IntArray, start: IntArray, end: IntArray) -> IntArray:
    """Return `(N, 3)` int64 that name each chunk in every generation: song, start and end sample."""
    songs = [hashlib.blake2b(audio_hash.encode(), digest_size=8).digest() for audio_hash in audio_hashes]
    numbers = np.frombuffer(b"".join(songs), dtype="<i8").astype(np.int64)
    return np.stack([numbers[chunk_song], start, end], axis=1)


def _key(name: str) -> str:
    return f"towers {name}, spectra of version {SPECTRAL_VERSION}"


def _identities_in(folder: Path) -> IntArray:
    try:
        found: IntArray = ArrayFile.of(folder / f"{CHUNKS}.npy").held()
    except (OSError, ArrayFileError) as error:
        raise PoolError(f"{folder} does not say whose embeddings it holds ({error})") from error
    if found.ndim != 2 or found.shape[1] != 3 or found.dtype != np.int64:
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
                rows = _rows_of(theirs, chunks.identities)
                if (rows >= 0).any():
                    return cls(index=index.take(np.maximum(rows, 0)), mask=rows >= 0)
        return None


def _rows_of(theirs: IntArray, ours: IntArray) -> IntArray:
    """Return `(len(ours),)` int64: the row of `theirs` that equals each row of `ours`, -1 where none does."""
    row_type = np.dtype((np.void, 3 * 8))
    known, wanted = (np.ascontiguousarray(side).view(row_type)[:, 0] for side in (theirs, ours))
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    rows = order[places]
    return np.where(known[rows] == wanted, rows, -1).astype(np.int64)
