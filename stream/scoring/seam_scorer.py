"""The seam scorer finds candidates by embeddings and weighs them by seam distances (second stage)."""

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.features.seam import SeamSides, seam_terms
from model.features.steadiness import distances_and_steadiness
from model.saved.second_stage import SecondStage
from stream.index.vector_index import EmbeddingIndex

SHORT_LIST = 4_096
"""The best candidates by embeddings, this many, go through the second stage; others get 0."""


class SeamScorer:
    """How naturally a start follows an end. Takes 2 us for each candidate on the short list.

    Any thread may call it: of what it keeps, only whole rows are ever exchanged.
    """

    def __init__(
        self, embeddings: EmbeddingIndex, sides: SeamSides, stage: SecondStage, song: IntArray
    ) -> None:
        """All in pool order, song: `(N,)`. `ValueError` when they are of other chunks."""
        if len(sides.starts) != len(embeddings):
            raise ValueError(f"sides of {len(sides.starts)} chunks, embeddings of {len(embeddings)}")
        self.embeddings = embeddings
        self._sides = sides
        self._stage = stage
        self._song = song
        self._last: tuple[int, FloatArray] | None = None
        # Compiled, or loaded, here: no score of a stream waits for that.
        self._probabilities(0, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.float32))

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None."""
        last = self._last
        if last is not None and last[0] == reference:
            return last[1] if candidates is None else last[1][candidates]
        dots = self.embeddings.scores(reference, candidates)
        scores = np.zeros(len(dots), dtype=np.float32)
        rows = np.arange(len(dots))
        if len(dots) > SHORT_LIST:
            rows = np.sort(np.argpartition(-dots, SHORT_LIST)[:SHORT_LIST])
        chosen = rows if candidates is None else candidates[rows]
        scores[rows] = self._probabilities(reference, chosen, dots[rows])
        if candidates is None:
            scores.flags.writeable = False
            self._last = reference, scores
        return scores

    def _probabilities(self, reference: int, candidates: IntArray, dots: FloatArray) -> FloatArray:
        distances_db = self._sides.distances_db(reference, candidates)
        network = self._stage.network
        if network is None:
            return self._stage.probabilities(dots, distances_db)
        own = np.flatnonzero(self._song[candidates] == self._song[reference])
        distances_db_own, steadiness = distances_and_steadiness(self._sides, reference, candidates[own])
        corrections = np.zeros(len(candidates), dtype=np.float32)
        corrections[own] = network.logits(np.concatenate([seam_terms(distances_db_own), steadiness], axis=1))
        return self._stage.probabilities(dots, distances_db, corrections)

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks if they were asked for last."""
        last = self._last
        return last[1] if last is not None and last[0] == reference else None

    def cancel(self) -> None:
        """Do nothing: no score takes long."""
