"""Starts are compared with starts, and ends with ends, by one index that compares ends with starts."""

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.stored_rows import HELD_ROWS
from stream.index.metrics import METRICS
from stream.index.vector_index import EmbeddingIndex


class SideLikeness:
    """How like each other starts are, and ends: at most 0, from band levels in dB, else from embeddings."""

    def __init__(self, index: EmbeddingIndex) -> None:
        self._starts = EmbeddingIndex(
            metric=index.metric,
            width=index.width,
            key=index.key,
            predecessors=index.successors,
            predecessor_scales=index.successor_scales,
            successors=index.successors,
            successor_scales=index.successor_scales,
        )
        self._ends = EmbeddingIndex(
            metric=index.metric,
            width=index.width,
            key=index.key,
            predecessors=index.predecessors,
            predecessor_scales=index.predecessor_scales,
            successors=index.predecessors,
            successor_scales=index.predecessor_scales,
        )
        self._lengths: dict[int, FloatArray | None] = {}
        if len(index) <= HELD_ROWS:
            self._lengths = {id(side): side.lengths() for side in (self._starts, self._ends)}

    def starts(self, row: int, rows: IntArray, everything: bool) -> FloatArray:
        """Return `(n,)`: the start of `row` against the starts of `rows`."""
        return self._alike(self._starts, row, None if everything else rows)

    def ends(self, row: int, rows: IntArray, everything: bool) -> FloatArray:
        """Return `(n,)`: the end of `row` against the ends of `rows`."""
        if everything:
            return self._alike(self._ends, row, None)[rows]
        return self._alike(self._ends, row, rows)

    def _alike(self, index: EmbeddingIndex, row: int, rows: IntArray | None) -> FloatArray:
        if id(index) in self._lengths:
            kept = self._lengths[id(index)]
            found = index.scores(row, rows)
            lengths = kept if kept is None or rows is None else kept[rows]
            own = None if kept is None else kept[row]
        else:
            # Its own length is read with theirs.
            found, lengths = index.compared(
                row, np.append(np.arange(len(index)) if rows is None else rows, row)
            )
            found, own = found[:-1], None if lengths is None else lengths[-1]
            lengths = None if lengths is None else lengths[:-1]
        if METRICS[index.metric].logarithmic:
            np.exp(found, out=found)
        if lengths is None or own is None:
            return found
        alike: FloatArray = found / np.maximum(lengths * own, np.float32(1e-9)) - np.float32(1.0)
        return alike
