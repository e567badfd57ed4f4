"""An edge set holds the edges that training reads, and makes its batches by index, one at a time."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.base.errors import ModelError
from model.base.stored_rows import AnyRows
from model.features.edges import EDGE_RATE_HZ
from model.learning.pairs import Pairs

AUGMENTED_GAP_S = 0.05
"""Longest piece left out on each side of a seam in augmented pairs: a crossfade removes what is there."""
GAIN_DB = 4.0
"""Each side of an augmented pair is louder or softer by at most this: songs are levelled when they play."""
SPEED_OCTAVES = 0.3
"""An augmented pair is played faster or slower, both sides alike, by at most this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeSet:
    """Edges of some songs of a pool, in song order; what is read of them is read batch by batch.

    chunk_song: `(N,)` int64. chunk_samples: `(N,)` int64, length of each chunk at `EDGE_RATE_HZ`.
    rows: `(N,)` int64, where each chunk stands in `heads` and `tails`, which may hold other songs too.
    heads, tails: `(M, 2, ceiling)` float16 or float32, or stored rows; rows of the second axis are channels.
    source: says what they are of, for provenance and to know them again: JSON values only.
    reference: `(N,)`, whether a chunk is of a song whose transitions are classes; None: all are.
    spectra: `(M, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)` float16 of heads and tails, in the rows of `heads`, or
    stored; None where the pool keeps none.
    """

    chunk_song: IntArray
    chunk_samples: IntArray
    rows: IntArray
    heads: AnyRows
    tails: AnyRows
    source: dict[str, object]
    reference: BoolArray | None = None
    spectra: AnyRows | None = None

    def __len__(self) -> int:
        return len(self.chunk_song)

    @property
    def ceiling_samples(self) -> int:
        """Longest edge that can be asked for."""
        return int(self.heads.shape[2])

    def heads_of(self, chunks: IntArray, channel: int = 0) -> FloatArray:
        """Return the heads of `(n,)` chunks, `(n, ceiling)` float32."""
        return np.asarray(self.heads[self.rows[chunks], channel], dtype=np.float32)

    def tails_of(self, chunks: IntArray, channel: int = 0) -> FloatArray:
        """Return the tails of `(n,)` chunks, `(n, ceiling)` float32."""
        return np.asarray(self.tails[self.rows[chunks], channel], dtype=np.float32)

    def check_edge(self, edge_samples: int) -> None:
        """Raise `ModelError` when the pool's edges are shorter than `edge_samples`."""
        if edge_samples > self.ceiling_samples:
            raise ModelError(
                f"the network looks at {edge_samples / EDGE_RATE_HZ:.2f} s of each chunk, the pool keeps "
                f"{self.ceiling_samples / EDGE_RATE_HZ:.2f} s; build the pool with longer edges"
            )


def plain_batch(edges: EdgeSet, pairs: Pairs, edge_samples: int, channel: int = 0) -> FloatArray:
    """Return [tail of predecessor | head of candidate], `(n, 2 * edge_samples, 1)` float32, as at run time.

    channel: 0, or 1 for the report's second channel.
    """
    tails = edges.tails_of(pairs.predecessors, channel)[:, edges.ceiling_samples - edge_samples :]
    heads = edges.heads_of(pairs.candidates, channel)[:, :edge_samples]
    return np.concatenate([tails, heads], axis=1, dtype=np.float32)[:, :, np.newaxis]


def varied_batch(edges: EdgeSet, pairs: Pairs, edge_samples: int, rng: np.random.Generator) -> FloatArray:
    """Return a `plain_batch` whose pairs are varied so that only what lasts can be learned.

    A true pair is two neighbouring pieces from around its seam (half of them not at the cut itself). Up to
    `AUGMENTED_GAP_S` is left out on either side of most seams, so that the waveform seldom simply runs on.
    Gain, polarity and speed change. What the pool keeps past the model's edge gives the room for all that.
    """
    count = len(pairs)
    ceiling = edges.ceiling_samples
    ahead = np.concatenate([edges.tails_of(pairs.predecessors), edges.heads_of(pairs.candidates)], axis=1)
    # What lies past a short chunk's own samples is padding, and no place to take a piece from.
    longest = np.minimum(
        ceiling,
        np.minimum(edges.chunk_samples[pairs.predecessors], edges.chunk_samples[pairs.candidates]),
    )
    speed = np.where(rng.random(count) < 0.5, 1.0, 2.0 ** rng.uniform(-SPEED_OCTAVES, SPEED_OCTAVES, count))
    speed = np.minimum(speed, np.maximum(longest / edge_samples, 1.0))
    length = edge_samples * speed
    room = np.maximum(longest - length, 0.0)
    gap = rng.uniform(0.0, AUGMENTED_GAP_S * EDGE_RATE_HZ, (2, count)) * (rng.random(count) < 0.7)
    gap = np.minimum(gap, room)
    room -= gap.max(axis=0)
    moved = rng.random((2, count)) < 0.5
    slide_tail = np.where(moved[0], rng.uniform(-1.0, 1.0, count) * room, 0.0)
    # A true pair moves as one, across the cut; the sides of a false one move apart, each within its chunk.
    true = pairs.labels > 0.5
    slide_head = np.where(true, slide_tail, np.where(moved[1], rng.uniform(0.0, 1.0, count) * room, 0.0))
    slide_tail = np.where(true, slide_tail, -np.abs(slide_tail))
    # Only a true pair's tail may read on past the cut: there its song really goes on.
    last = np.where(true, 2 * ceiling - 1, ceiling - 1)
    tails = _played(ahead, ceiling + slide_tail - gap[0] - length, edge_samples, speed, last)
    heads = _played(
        ahead, ceiling + slide_head + gap[1], edge_samples, speed, np.full(count, 2 * ceiling - 1)
    )
    gain = 10.0 ** (rng.uniform(-GAIN_DB, GAIN_DB, (2, count, 1)) / 20.0)
    gain *= rng.choice([-1.0, 1.0], (count, 1))
    batch = np.concatenate([tails * gain[0], heads * gain[1]], axis=1)
    return batch[:, :, np.newaxis].astype(np.float32)


def _played(
    rows: FloatArray, start: DoubleArray, samples: int, speed: DoubleArray, last: IntArray
) -> FloatArray:
    """Read `samples` samples of each row from a fractional start, interpolated, none past column `last`."""
    position = start[:, np.newaxis] + np.arange(samples) * speed[:, np.newaxis]
    position = np.minimum(position, last[:, np.newaxis])
    before = np.minimum(position.astype(np.int64), last[:, np.newaxis] - 1)
    part = (position - before).astype(np.float32)
    row = np.arange(len(rows))[:, np.newaxis]
    played: FloatArray = rows[row, before] * (1 - part) + rows[row, before + 1] * part
    return played
