"""The pair scorer runs onnxruntime in batches over [tail of the reference | head of the candidate]."""

import time

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.graph_runtime import onnxruntime
from stream.index.edge_index import EdgeIndex
from stream.index.graphs import run_graph
from stream.scoring.scorer import KEPT_BYTES, RowScorer, ScoringLateError

BATCH_ROWS = 256


class PairScorer(RowScorer):
    """Scores by any network of approach `binary`. Belongs to one thread."""

    def __init__(
        self, session: onnxruntime.InferenceSession, index: EdgeIndex, *, kept_bytes: int = KEPT_BYTES
    ) -> None:
        super().__init__(len(index), kept_bytes=kept_bytes)
        self._session = session
        self._index = index
        self._run_options = onnxruntime.RunOptions()
        self._input = session.get_inputs()[0].name
        self._pairs = np.empty((BATCH_ROWS, 2 * index.edge_samples, 1), dtype=np.float32)

    def cancel(self) -> None:
        """Make a score under way end soon, by raising."""
        self._run_options.terminate = True

    def _scores(self, reference: int, candidates: IntArray | None, late_s: float) -> FloatArray:
        """Score in batches; the time is looked at between them."""
        heads = self._index.heads if candidates is None else self._index.heads[candidates]
        edge = self._index.edge_samples
        self._pairs[:, :edge, 0] = self._index.tails[reference]
        scores = np.empty(len(heads), dtype=np.float32)
        for first in range(0, len(heads), BATCH_ROWS):
            batch = heads[first : first + BATCH_ROWS]
            self._pairs[: len(batch), edge:, 0] = batch
            feed = {self._input: self._pairs[: len(batch)]}
            output = run_graph(self._session, feed, self._run_options)[0]
            scores[first : first + len(batch)] = output[:, 0]
            if time.monotonic() > late_s:
                raise ScoringLateError(f"{first + len(batch)} of {len(heads)} candidates scored in time")
        return scores
