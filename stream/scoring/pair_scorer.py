"""The pair scorer runs onnxruntime in batches over [tail of the reference | head of the candidate]."""

import time

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.graph_runtime import onnxruntime
from stream.index.edge_index import EdgeIndex
from stream.index.graphs import run_graph
from stream.scoring.scorer import KEPT_BYTES, RowScorer, ScoringLateError

BATCH_ROWS = 256
"""Pairs of a batch at most, ..."""
BATCH_BYTES = 150_000_000
"""... and what a graph makes of them at most: the report's makes 13.5 MB of edges of 0.35 s."""


def batch_rows(row_bytes: int) -> int:
    """Return the pairs of a batch for a graph that makes `row_bytes` of one."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))


class PairScorer(RowScorer):
    """Scores by any network of approach `binary`. Belongs to one thread."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        index: EdgeIndex,
        *,
        batch: int = BATCH_ROWS,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """Make room for a batch of so many pairs."""
        super().__init__(len(index), kept_bytes=kept_bytes)
        self._session = session
        self._index = index
        self._run_options = onnxruntime.RunOptions()
        self._input = session.get_inputs()[0].name
        self._pairs = np.empty((batch, 2 * index.edge_samples, 1), dtype=np.float32)

    def cancel(self) -> None:
        """Make a score under way end soon, by raising."""
        self._run_options.terminate = True

    def _scores(self, reference: int, candidates: IntArray | None, late_s: float) -> FloatArray:
        """Score in batches; the time is looked at between them."""
        heads = self._index.heads if candidates is None else self._index.heads[candidates]
        edge = self._index.edge_samples
        self._pairs[:, :edge, 0] = self._index.tails[reference]
        scores = np.empty(len(heads), dtype=np.float32)
        for first in range(0, len(heads), len(self._pairs)):
            batch = heads[first : first + len(self._pairs)]
            self._pairs[: len(batch), edge:, 0] = batch
            feed = {self._input: self._pairs[: len(batch)]}
            output = run_graph(self._session, feed, self._run_options)[0]
            scores[first : first + len(batch)] = output[:, 0]
            if time.monotonic() > late_s:
                raise ScoringLateError(f"{first + len(batch)} of {len(heads)} candidates scored in time")
        return scores
