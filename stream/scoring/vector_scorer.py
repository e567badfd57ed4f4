"""The vector scorer compares embeddings that are there already and calibrates what comes of it."""

from collections.abc import Mapping

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.errors import PoolError
from stream.index.vector_index import EmbeddingIndex

MOST_EXPONENT = np.float32(88.0)
"""Beyond it the exponential is no float32."""


class VectorScorer:
    """How naturally a start follows an end. Never takes long enough to be late.

    Any thread may call it: of what it keeps, only whole rows are ever exchanged.
    """

    def __init__(self, embeddings: EmbeddingIndex, calibration: Mapping[str, float]) -> None:
        """embeddings: in pool order. calibration: `scale` and `offset` of the logit."""
        self.embeddings = embeddings
        self._scale = np.float32(calibration["scale"])
        self._offset = np.float32(calibration["offset"])
        self._last: tuple[int, FloatArray] | None = None

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None.

        `PoolError` when a row cannot be read.
        """
        if candidates is None:
            return self._row(reference)
        return self._probabilities(self.embeddings.scores(reference, candidates))

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks, as good as known: they take less than the draw that follows.

        None when they cannot be read.
        """
        try:
            return self._row(reference)
        except PoolError:
            return None

    def cancel(self) -> None:
        """Do nothing: no score takes long."""

    def _row(self, reference: int) -> FloatArray:
        # The last one is kept, because whoever asks whether it is known asks for it next.
        last = self._last
        if last is None or last[0] != reference:
            row = self._probabilities(self.embeddings.scores(reference))
            row.flags.writeable = False
            last = self._last = (reference, row)
        return last[1]

    def _probabilities(self, nearness: FloatArray) -> FloatArray:
        # In place: a large pool's rows need no second array. Small probabilities stay told apart.
        np.multiply(nearness, -self._scale, out=nearness)
        np.subtract(nearness, self._offset, out=nearness)
        np.minimum(nearness, MOST_EXPONENT, out=nearness)
        np.exp(nearness, out=nearness)
        np.add(nearness, np.float32(1.0), out=nearness)
        return np.reciprocal(nearness, out=nearness)
