"""The edge index holds edges and band levels as a struct of arrays, and answers for all chunks at once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import ModelError, PoolError
from model.base.stored_rows import AnyRows
from model.features.edges import EDGE_RATE_HZ
from stream.index.metrics import LEAST_LEVEL_DB, MOST_LEVEL_DB, Metric
from stream.index.model_graphs import Chunks, pool_identities
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import earlier_homes, embeddings, keep
from stream.pool.pool import Pool, generation_folder

_log = logging.getLogger(__name__)

BANDS = 12
_SLICE_ROWS = 128
"""Edges transformed at once: larger slices fall out of the processor's cache and take twice as long."""
_READ_ROWS = 4_096
"""Edges that are read at once where they stay in the pool's files."""
PRELOAD_BYTES = 512 * 2**20
STORED_FROM_CHUNKS = 20_000
"""Band levels of this many chunks take longer to compute than a start may wait."""
NO_SUCCESSOR = -1
NEVER = -1
"""`last_played` of a chunk that has not been played."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeIndex:
    """The chunks of a pool as candidates; row = chunk, in pool order.

    heads, tails: `(N, edge_samples)`, first channel; float32 where preloaded, else as in the pool's files.
    bands: level of each edge in `BANDS` logarithmically spaced bands, metric `l1`, in dB.
    song, successor: `(N,)` int64; `successor` is -1 after a song's last chunk and before a silence.
    """

    heads: AnyRows
    tails: AnyRows
    bands: EmbeddingIndex
    song: IntArray
    successor: IntArray

    @classmethod
    def from_pool(cls, pool: Pool, edge_samples: int, *, preload_bytes: int = PRELOAD_BYTES) -> "EdgeIndex":
        """Preload edges of `edge_samples`; `ModelError` when the pool keeps shorter ones.

        Edges of more than `preload_bytes` stay in the pool's files.
        """
        if edge_samples > pool.edge_samples:
            raise ModelError(
                f"the model needs edges of {edge_samples / EDGE_RATE_HZ:.2f} s and {pool.folder} keeps "
                f"{pool.edge_s:.2f} s; build the pool again with a longer --edge-s, or use another model"
            )
        heads: AnyRows = pool.heads[:, 0, :edge_samples]
        tails: AnyRows = pool.tails[:, 0, pool.edge_samples - edge_samples :]
        if 2 * 4 * len(pool) * edge_samples <= preload_bytes:
            heads, tails = (np.asarray(edges).astype(np.float32, order="C") for edges in (heads, tails))
        bands = _bands(pool, heads, tails)
        return cls(heads=heads, tails=tails, bands=bands, song=pool.chunk_song, successor=pool.successors())

    def __len__(self) -> int:
        return len(self.song)

    @property
    def edge_samples(self) -> int:
        """Length of an edge, in samples at `EDGE_RATE_HZ`."""
        return int(self.heads.shape[1])

    @property
    def bytes(self) -> int:
        """Bytes of memory that it takes: edges that stay in the pool's files are not counted."""
        preloaded = sum(
            edges.nbytes
            for edges in (self.heads, self.tails)
            if isinstance(edges, np.ndarray) and edges.flags.owndata
        )
        return preloaded + self.bands.bytes + self.song.nbytes + self.successor.nbytes

    def distances_db(self, reference: int) -> FloatArray:
        """Return `(N,)` float32: mean difference in dB by band, tail of `reference` to each head."""
        return np.negative(self.bands.scores(reference))

    def nearest(self, reference: int, mask: BoolArray, count: int) -> IntArray:
        """Return the `count` rows of the smallest distances where `mask` holds, nearest first."""
        return self.bands.shortlist(reference, mask, count)[0]


def band_levels_db(edges: AnyRows) -> FloatArray:
    """Return `(N, BANDS)` float32: level of each edge in bands from 40 Hz to half the edge rate, in dB.

    edges: `(N, edge_samples)` float32 or float16. Computed in slices, so that memory stays bounded.
    """
    samples = edges.shape[1]
    window = (np.hanning(samples) / samples).astype(np.float32)
    frequencies_hz = np.fft.rfftfreq(samples, 1.0 / EDGE_RATE_HZ)
    borders_hz = np.geomspace(40.0, EDGE_RATE_HZ / 2, BANDS + 1)
    band_of_bin = np.clip(np.digitize(frequencies_hz, borders_hz) - 1, -1, BANDS - 1)
    membership = (band_of_bin[:, None] == np.arange(BANDS)).astype(np.float32)
    # Real and imaginary parts lie side by side, so their squares are summed by the same product.
    membership = np.repeat(membership, 2, axis=0)
    power = np.empty((len(edges), BANDS), dtype=np.float32)
    # Damaged edges may hold anything; what comes of them is bounded below.
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, len(edges), _SLICE_ROWS):
            spectrum = np.fft.rfft(edges[first : first + _SLICE_ROWS] * window, axis=1).view(np.float32)
            power[first : first + _SLICE_ROWS] = np.square(spectrum) @ membership
    levels_db = 10.0 * np.log10(power + np.float32(10.0 ** (LEAST_LEVEL_DB / 10.0)))
    bounded_db: FloatArray = np.clip(
        np.nan_to_num(levels_db, nan=LEAST_LEVEL_DB), LEAST_LEVEL_DB, MOST_LEVEL_DB
    )
    return bounded_db


@dataclass(frozen=True, kw_only=True)
class BandLevels:
    """The embedder of band levels of edges of one length."""

    edge_samples: int
    metric: Metric = "l1"

    @property
    def key(self) -> str:
        """What the levels are computed from."""
        return f"{BANDS} band levels of {self.edge_samples} samples"

    def place(self, home: Path) -> Path:
        """Return where the levels of the generation in the folder `home` stand."""
        return home / f"bands-{self.edge_samples}"

    def chunks(self, named: IntArray, heads: AnyRows, tails: AnyRows) -> Chunks:
        """Return the chunks `named` (`identities`) with their edges, `(N, 2, at least edge_samples)` each."""
        return Chunks(
            identities=named,
            heads=heads[:, 0, : self.edge_samples],
            tails=tails[:, 0, tails.shape[2] - self.edge_samples :],
            tail_rows=np.arange(len(named)),
        )

    def embed(
        self, chunks: Chunks, rows: IntArray, *, threads: int, progress: Callable[[int], None]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the levels of tails and of heads of `rows`, each `(len(rows), BANDS)` float32."""
        found = [
            (band_levels_db(chunks.tails[part]), band_levels_db(chunks.heads[part]))
            for first in range(0, len(rows), _READ_ROWS)
            for part in (rows[first : first + _READ_ROWS],)
        ]
        progress(len(rows))
        ends, starts = (np.concatenate(side) for side in zip(*found, strict=True))
        return ends, starts


def _bands(pool: Pool, heads: AnyRows, tails: AnyRows) -> EmbeddingIndex:
    """Band levels of a large pool are computed once and kept beside its edges."""
    levels, home = BandLevels(edge_samples=heads.shape[1]), generation_folder(pool.folder, pool.generation)
    folder, count = levels.place(home), len(pool)
    if folder.is_dir():
        try:
            return EmbeddingIndex.open(folder, chunks=count, key=levels.key, held=False)
        except PoolError as error:
            _log.warning("band levels are computed anew: %s", error)
    chunks = Chunks(identities=pool_identities(pool), heads=heads, tails=tails, tail_rows=np.arange(count))
    bands = embeddings(chunks, levels, earlier_homes(home)).index
    if count >= STORED_FROM_CHUNKS:
        try:
            keep(home, levels, chunks, bands)
            return EmbeddingIndex.open(folder, chunks=count, key=levels.key, held=False)
        except PoolError as error:
            _log.info("band levels are not kept: %s", error)
    return bands
