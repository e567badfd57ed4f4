"""The slow scorer takes as long as it is told, for tests and benchmarks of the ladder."""

import threading

from model.base.arrays import FloatArray, IntArray
from stream.scoring.scorer import Scorer, ScoringLateError


class SlowScorer:
    """Takes `slow_ms` longer for all candidates, and for some of them their share of it."""

    def __init__(self, scorer: Scorer, slow_ms: float, candidates: int) -> None:
        self._scorer = scorer
        self._candidate_s = slow_ms / 1e3 / candidates
        self._candidates = candidates
        self._cancelled = threading.Event()

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Wait, then score."""
        if self._scorer.kept(reference) is None:
            count = self._candidates if candidates is None else len(candidates)
            takes_s = count * self._candidate_s
            late = timeout_s is not None and timeout_s < takes_s
            if self._cancelled.wait(timeout_s if late else takes_s) or late:
                raise ScoringLateError(f"{takes_s * 1e3:.0f} ms of slowness were simulated")
        return self._scorer.score(reference, candidates)

    def kept(self, reference: int) -> FloatArray | None:
        """Return what the scorer keeps."""
        return self._scorer.kept(reference)

    def cancel(self) -> None:
        """End the wait."""
        self._cancelled.set()
        self._scorer.cancel()
