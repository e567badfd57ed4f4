"""The graphs of a model turn what it sees of a pool's chunks into a vector for each end and each start."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray, HalfArray, IntArray
from model.base.errors import ModelError, PoolError
from model.base.stored_rows import StoredRows
from model.features.spectra import SPECTRAL_VERSION, SPECTRUM_BINS, SPECTRUM_FRAMES
from model.saved.contract import ModelContract
from model.saved.contract_file import graphs_hash
from model.saved.scoring import CLASSES_ROLE, VECTOR_ROLES
from model.saved.walk import class_vectors
from stream.index.metrics import METRICS, Metric
from stream.pool.pool import Pool

SeenArray = HalfArray | FloatArray | StoredRows

VECTORS_FOLDER = "embeddings"
SLICE_ROWS = 32
"""Chunks that go through a graph at once; the last are filled up, so that no result depends on the rest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunks:
    """The chunks of one generation, as far as a model sees them."""

    identities: IntArray
    """`(N, numbers)` int64 that name all that is seen for a chunk, the same in every generation: song, start
    and end sample, and where its predecessor is seen too, also those of that."""
    heads: SeenArray
    """`(N, *seen shape)` float16 or float32, may be read where they are asked for."""
    tails: SeenArray
    """The same of `M` chunks."""
    tail_rows: IntArray
    """`(N,)` int64: the row of `tails` that belongs to each chunk."""

    def __len__(self) -> int:
        return len(self.identities)

    def take(self, rows: IntArray) -> "Chunks":
        """Return some of them, read into memory."""
        return Chunks(
            identities=self.identities[rows],
            heads=self.heads[rows],
            tails=self.tails[self.tail_rows[rows]],
            tail_rows=np.arange(len(rows)),
        )


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
        rows = np.arange(len(named))
        if self.contract.features == "spectra":
            spectra = columns["spectra"]
            if spectra is None:
                raise PoolError(
                    f"{folder} keeps no spectra, which {self.folder} sees; "
                    "run `endlos pool build` again, or use another model"
                )
            return Chunks(identities=named, heads=spectra[:, 0], tails=spectra[:, 1], tail_rows=rows)
        samples, heads, tails = self.contract.edge_samples, columns["heads"], columns["tails"]
        if heads is None or tails is None or heads.shape[2] < samples:
            raise PoolError(
                f"{folder} keeps shorter edges than the {self.contract.edge_s:.2f} s that {self.folder} "
                "sees; build the pool again with longer --edge-s"
            )
        first = tails.shape[2] - samples
        return Chunks(
            identities=named,
            heads=heads[:, 0, :samples, None],
            tails=tails[:, 0, first:, None],
            tail_rows=rows,
        )

    @property
    def name(self) -> str:
        """Names the very graphs: a model trained anew has another name."""
        return graphs_hash(self.folder, self.contract)

    def place(self, home: Path) -> Path:
        """Return where the vectors of the generation in the folder `home` stand."""
        return home / VECTORS_FOLDER / self.name

    @property
    def key(self) -> str:
        """What the vectors were computed from."""
        return vectors_key(self.name)

    @property
    def metric(self) -> Metric:
        """How the vectors are compared."""
        return self.contract.metric

    def embed(
        self, chunks: Chunks, rows: IntArray, *, threads: int, progress: Callable[[int], None]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the vectors of the ends and of the starts of `rows`, each `(len(rows), width)` float32.

        progress: told how many are done. `PoolError` where what is seen of a chunk is damaged.
        """
        ends = self._run(
            "ends",
            lambda part: chunks.tails[chunks.tail_rows[part]],
            rows,
            threads=threads,
            progress=lambda done: progress(done // 2),
        )
        starts = self._run(
            "starts",
            lambda part: chunks.heads[part],
            rows,
            threads=threads,
            progress=lambda done: progress((len(rows) + done) // 2),
        )
        return ends, starts

    def _run(
        self,
        role: str,
        seen_of: Callable[[IntArray], SeenArray],
        rows: IntArray,
        *,
        threads: int,
        progress: Callable[[int], None],
    ) -> FloatArray:
        """Return what the graph of a role gives for `rows`; `seen_of` says what it sees of some of them."""
        # Here, because most runs have no need of it.
        from stream.index.graphs import open_graph, run_graph

        graph = self.contract.graphs[role]
        session = open_graph(self.folder, graph, threads=threads)
        shape = [size or 0 for size in graph.inputs[0].shape[1:]]
        seen = np.zeros((SLICE_ROWS, *shape), dtype=np.float32)
        found = []
        for first in range(0, len(rows), SLICE_ROWS):
            part = rows[first : first + SLICE_ROWS]
            seen[: len(part)] = seen_of(part)
            damaged = ~np.isfinite(seen[: len(part)]).all(axis=tuple(range(1, seen.ndim)))
            if damaged.any():
                raise PoolError(
                    f"what is kept of chunk {part[damaged.argmax()]} is no number; run `endlos pool check`, "
                    "then `endlos pool build`"
                )
            seen[len(part) :] = 0.0
            found.append(run_graph(session, {graph.inputs[0].name: seen})[0][: len(part)])
            progress(first + len(part))
        return np.concatenate(found)


@dataclass(frozen=True, kw_only=True)
class BucketGraphs(VectorGraphs):
    """The graph of a model of scoring `buckets`; `ModelError` when it is not of that form.

    It sees the transition with which a chunk is entered in its own song, from the chunk before it, or from
    the song's last into its first: classes are of transitions, and this is the one that every chunk has.
    """

    def __post_init__(self) -> None:
        frames, values = self.seen_shape
        shapes = [tensor.shape for tensor in self.contract.graphs[CLASSES_ROLE].inputs]
        if shapes != [(None, 2 * frames, values)]:
            raise ModelError(
                f"{self.folder} has a graph for its classes that sees {shapes}, expected "
                f"{(None, 2 * frames, values)}; train or copy the model again"
            )

    def chunks(self, named: IntArray, columns: Mapping[str, SeenArray | None], folder: Path) -> Chunks:
        """Return the chunks `named`, each with the tail of what precedes it in its song."""
        own = super().chunks(named, columns, folder)
        first = np.append(True, named[1:, 0] != named[:-1, 0])
        last = np.flatnonzero(np.append(first[1:], True))
        before = np.arange(len(named)) - 1
        before[first] = last
        return Chunks(
            identities=np.concatenate([named, named[before, 1:]], axis=1),
            heads=own.heads,
            tails=own.tails,
            tail_rows=before,
        )

    def embed(
        self, chunks: Chunks, rows: IntArray, *, threads: int, progress: Callable[[int], None]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the `ends` and `starts` of `model.saved.walk.ClassVectors` for `rows`."""

        def seen_of(part: IntArray) -> SeenArray:
            return np.concatenate([chunks.tails[chunks.tail_rows[part]], chunks.heads[part]], axis=1)

        logits = self._run(CLASSES_ROLE, seen_of, rows, threads=threads, progress=progress)
        if not np.isfinite(logits).all():
            raise ModelError(f"{self.folder} gives logits that are not numbers; train the model again")
        assert self.contract.walk is not None  # a contract of this scoring has one
        found = class_vectors(logits, self.contract.walk)
        return found.ends, found.starts


def graphs_of(folder: Path, contract: ModelContract) -> VectorGraphs:
    """Return the graphs of a model of a scoring of `model.saved.scoring.EMBEDDED`."""
    kind = BucketGraphs if contract.scoring == "buckets" else VectorGraphs
    return kind(folder=folder, contract=contract)


def vectors_key(name: str) -> str:
    """Return what vectors were computed from: the graphs of this name, and spectra of this version."""
    return f"towers {name}, spectra of version {SPECTRAL_VERSION}"


def pool_identities(pool: Pool) -> IntArray:
    """Return the `identities` of an open pool's chunks."""
    return identities(pool.audio_hashes, pool.chunk_song, pool.start_sample, pool.end_sample)


def identities(audio_hashes: Sequence[str], chunk_song: IntArray, start: IntArray, end: IntArray) -> IntArray:
    """Return `(N, 3)` int64 that name each chunk in every generation: song, start and end sample."""
    songs = [hashlib.blake2b(audio_hash.encode(), digest_size=8).digest() for audio_hash in audio_hashes]
    numbers = np.frombuffer(b"".join(songs), dtype="<i8").astype(np.int64)
    return np.stack([numbers[chunk_song], start, end], axis=1)
