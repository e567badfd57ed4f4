"""Runs a scorer in a thread of its own: one that hangs is abandoned, counted and replaced."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from model.arrays import FloatArray, IntArray
from stream.scorer import Scorer, ScoringLateError

log = logging.getLogger(__name__)

GRACE_S = 0.25
"""A scorer notices by itself that it is late, between two batches; past this it hangs."""
MOST_ABANDONED = 4
"""Each one that hangs keeps its thread and its memory for ever."""

Answer = FloatArray | Exception


class GuardedScorer:
    """A scorer whose `score` comes back by its timeout, whatever happens inside; belongs to one thread.

    make: opens the scorer; called again for each one that was abandoned.
    """

    def __init__(self, scorer: Scorer, make: Callable[[], Scorer]) -> None:
        self._make = make
        self._worker = _Worker(scorer)
        self.abandoned = 0
        """Scorers that hung."""

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return what the scorer returns, raise what it raises, or `ScoringLateError` when it hangs."""
        if self.abandoned >= MOST_ABANDONED:
            raise ScoringLateError("scorers hang again and again; no more are tried")
        if timeout_s is None:
            return self._worker.scorer.score(reference, candidates)
        answer = self._worker.ask(reference, candidates, timeout_s)
        if answer is None:
            self._replace()
            raise ScoringLateError("the scorer hung and was replaced")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all chunks if they are known already."""
        return self._worker.scorer.kept(reference)

    def cancel(self) -> None:
        """Make a score under way end soon."""
        self._worker.scorer.cancel()

    def close(self) -> None:
        """End the thread."""
        self._worker.end()

    def _replace(self) -> None:
        self.abandoned += 1
        self._worker.scorer.cancel()
        self._worker.end()
        if self.abandoned >= MOST_ABANDONED:
            log.error("scorers hang again and again; from here spectral distance decides")
            return
        log.warning("the scorer hangs; it is replaced (%d so far)", self.abandoned)
        self._worker = _Worker(self._make())


class _Worker:
    """A thread that scores one question after the other; abandoned, it ends after the one that it is at."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        threading.Thread(target=self._run, name="scorer", daemon=True).start()

    def ask(self, reference: int, candidates: IntArray | None, timeout_s: float) -> Answer | None:
        """Return scores or what was raised; None when neither came within the timeout and its grace."""
        question = _Question(reference, candidates, timeout_s)
        self._questions.put(question)
        question.answered.wait(timeout_s + GRACE_S)
        return question.answer

    def end(self) -> None:
        self._questions.put(None)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                question.answer = self.scorer.score(
                    question.reference, question.candidates, timeout_s=question.timeout_s
                )
            except Exception as error:  # whatever a runtime raises belongs to who asked
                question.answer = error
            question.answered.set()


class _Question:
    def __init__(self, reference: int, candidates: IntArray | None, timeout_s: float) -> None:
        self.reference = reference
        self.candidates = candidates
        self.timeout_s = timeout_s
        self.answer: Answer | None = None
        self.answered = threading.Event()
