"""Windows are drawn from any place of the songs' edges where enough samples run on, read batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from model.features.edges import EDGE_RATE_HZ
from model.learning.edge_set import EdgeSet

_NONE = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Strips of music, each a tail and the head that follows it in its song, or one of the two alone.

    tails, heads: `(n,)` int64 chunks, -1 where there is none. first, last: `(n,)` int64, where the samples of
    the chunks begin and end in a strip of twice the longest edge; what lies outside is padding.
    """

    edges: EdgeSet
    samples: int
    """Of a window."""
    tails: IntArray
    heads: IntArray
    first: IntArray
    last: IntArray

    @classmethod
    def of(cls, edges: EdgeSet, samples: int) -> "Windows":
        """Find the strips of `edges` that hold a window; `ModelError` when none does."""
        chunks, ceiling = np.arange(len(edges)), edges.ceiling_samples
        follows = np.append(edges.chunk_song[1:] == edges.chunk_song[:-1], False)
        led = np.append(False, follows[:-1])
        tails = np.concatenate([chunks, np.full(np.count_nonzero(~led), _NONE)])
        heads = np.concatenate([np.where(follows, chunks + 1, _NONE), chunks[~led]])
        held = np.minimum(edges.chunk_samples, ceiling)
        first = ceiling - np.where(tails != _NONE, held[tails], 0)
        last = ceiling + np.where(heads != _NONE, held[heads], 0)
        enough = last - first >= samples
        if not enough.any():
            raise ModelError(
                f"nowhere in the songs do {samples} samples at {EDGE_RATE_HZ} Hz "
                f"({samples / EDGE_RATE_HZ:.2f} s) run on; build the pool with a longer --edge-s, or from "
                "longer songs"
            )
        return cls(
            edges=edges,
            samples=samples,
            tails=tails[enough],
            heads=heads[enough],
            first=first[enough],
            last=last[enough],
        )

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Return `(count, samples)` float32; every place is as likely as any other."""
        places = self.last - self.first - self.samples + 1
        ends = np.cumsum(places)
        drawn = rng.integers(0, ends[-1], count)
        strips = np.searchsorted(ends, drawn, side="right")
        begins = self.first[strips] + drawn - (ends - places)[strips]
        read = np.concatenate(
            [
                _read(self.edges.tails_of, self.tails[strips], self.edges.ceiling_samples),
                _read(self.edges.heads_of, self.heads[strips], self.edges.ceiling_samples),
            ],
            axis=1,
        )
        windows: FloatArray = read[np.arange(count)[:, None], begins[:, None] + np.arange(self.samples)]
        return windows


def _read(side_of: Callable[[IntArray], FloatArray], chunks: IntArray, ceiling: int) -> FloatArray:
    found = np.zeros((len(chunks), ceiling), dtype=np.float32)
    there = chunks != _NONE
    found[there] = side_of(chunks[there])
    return found
