"""This module says which transitions there are, what a network sees of them, and which are false."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.learning.edge_set import EdgeSet, plain_batch
from model.learning.pairs import Pairs
from model.learning.song_set import GridArray
from model.learning.song_sides import sides


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions:
    """The transitions into N chunks of some songs; row = chunk, songs together and in order."""

    song: IntArray
    """`(N,)` int64."""
    before: IntArray
    """`(N,)` int64: the row of the chunk that each is entered from."""
    look: Callable[[IntArray, IntArray], FloatArray]
    """What a network sees where the tails of some rows lead into the heads of others, `(n, ...)` float32."""
    labels: IntArray | None = None
    """`(N,)` int64, their classes; None where they have none."""

    def __len__(self) -> int:
        return len(self.song)

    def false(self, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return as many false transitions, rows of tails and of heads, drawn at random as the report did.

        The report put random chunks together (`X_train_false`) and says nothing of what for. They belong to
        no class, so nothing can be trained on them; what is measured is whether they are sorted less surely.
        """
        tails, heads = rng.integers(0, len(self), (2, len(self)))
        # One that happens to be true is moved on by one.
        return np.where(tails == self.before[heads], (tails + 1) % len(self), tails), heads


def entered_from(song: IntArray) -> IntArray:
    """Return `(N,)` int64: the row before each in its song, of a song's first row its last.

    song: `(N,)`, rows of a song together. As `stream.index.model_graphs.BucketGraphs` sorts a pool.
    """
    first = np.append(True, song[1:] != song[:-1])
    before = np.arange(len(song), dtype=np.int64) - 1
    before[first] = np.flatnonzero(np.append(first[1:], True))
    return before


def edge_transitions(
    edges: EdgeSet, edge_samples: int, rows: IntArray, before: IntArray, labels: IntArray | None
) -> Transitions:
    """Return transitions between chunks of an edge set: the first channel, read from disk batch by batch.

    rows: `(N,)` chunks of the set. before: `(N,)` numbers of those that precede them, among `rows`.
    """

    def look(tails: IntArray, heads: IntArray) -> FloatArray:
        labelled = np.zeros(len(tails), dtype=np.float32)
        pairs = Pairs(predecessors=rows[tails], candidates=rows[heads], labels=labelled)
        return plain_batch(edges, pairs, edge_samples)

    return Transitions(song=edges.chunk_song[rows], before=before, look=look, labels=labels)


def grid_transitions(
    grids: Sequence[GridArray], spans: Sequence[IntArray], *, in_song: bool = True
) -> Transitions:
    """Return the transitions between chunks of songs, at `spans`: `(chunks, 2)` rows of each grid.

    in_song: a song's first chunk is entered from its last; else from the last one of the song before.
    """
    song = np.repeat(np.arange(len(spans)), [len(own) for own in spans])
    rows = np.concatenate([np.empty((0, 2), dtype=np.int64), *spans])

    def side(chosen: IntArray, *, tail: bool) -> FloatArray:
        found = [
            sides(grids[number], rows[row : row + 1, int(tail)], np.diff(rows[row]), tail=tail)
            for row, number in zip(chosen.tolist(), song[chosen].tolist(), strict=True)
        ]
        return np.concatenate(found)

    def look(tails: IntArray, heads: IntArray) -> FloatArray:
        return np.concatenate([side(tails, tail=True), side(heads, tail=False)], axis=1)

    before = entered_from(song) if in_song else np.roll(np.arange(len(song)), 1)
    return Transitions(song=song, before=before, look=look)
