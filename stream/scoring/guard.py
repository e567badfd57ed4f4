"""The guard runs a scorer in its own thread; one that hangs is abandoned, counted and replaced."""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from stream.scoring.scorer import Scorer, ScoringLateError

_log = logging.getLogger(__name__)

GRACE_S = 0.25
"""A scorer notices by itself that it is late, between two batches; past this it hangs."""
UNHURRIED_S = 20.0
"""A score without a timeout (the first one, which may read files), or the opening of a scorer, hangs past
this: far longer than a slow machine needs, and not too long for a stream that goes on naturally meanwhile."""
KNOWN_S = 5.0
"""A scorer may take this long to tell what it knows already."""
MOST_ABANDONED = 4
"""Each one that hangs keeps its thread and its memory for ever."""

_Answer = FloatArray | None
Question = Callable[[Scorer], _Answer]


class GuardedScorer:
    """A scorer whose calls all come back in time, whatever happens inside; belongs to one thread.

    make: opens the scorer anew, in the thread of the new one; called for each one that was abandoned.
    """

    def __init__(self, scorer: Scorer, make: Callable[[], Scorer]) -> None:
        self._make = make
        self._worker = _Worker(scorer, make)
        self.abandoned = 0
        """Scorers that hung."""

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return what the scorer returns, raise what it raises, or `ScoringLateError` when it hangs.

        Without a timeout it hangs after `UNHURRIED_S`.
        """
        patience_s = UNHURRIED_S if timeout_s is None else timeout_s
        late_s = time.monotonic() + patience_s
        if not self._opened(patience_s):
            raise ScoringLateError("the scorer is being opened again")
        left_s = None if timeout_s is None else max(0.0, late_s - time.monotonic())

        def score(scorer: Scorer) -> FloatArray:
            return scorer.score(reference, candidates, timeout_s=left_s)

        found = self._answer(score, late_s - time.monotonic() + GRACE_S)
        assert found is not None  # only what is kept may be None
        return found

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all chunks if they are known already, and can be told at once."""
        try:
            if not self._opened(0.0):
                return None
            return self._answer(lambda scorer: scorer.kept(reference), KNOWN_S)
        except Exception:  # whatever a runtime raises: the score itself tells of it
            return None

    def cancel(self) -> None:
        """Make a score under way end soon."""
        self._worker.cancel()

    def close(self) -> None:
        """End the thread."""
        self._worker.end()

    def _opened(self, patience_s: float) -> bool:
        """Wait for a scorer that is being opened; one that takes too long is abandoned, too."""
        if self.abandoned >= MOST_ABANDONED:
            raise ScoringLateError("scorers hang again and again; no more are tried")
        if self._worker.opened.wait(patience_s):
            return True
        if time.monotonic() - self._worker.began_s > UNHURRIED_S:
            self._replace()
        return False

    def _answer(self, question: Question, patience_s: float) -> _Answer:
        asked = _Asked(question)
        self._worker.ask(asked)
        if not asked.answered.wait(max(0.0, patience_s)):
            self._replace()
            raise ScoringLateError("the scorer hung and was replaced")
        if asked.error is not None:
            raise asked.error
        return asked.answer

    def _replace(self) -> None:
        self.abandoned += 1
        self._worker.cancel()
        self._worker.end()
        if self.abandoned >= MOST_ABANDONED:
            _log.error("scorers hang again and again; from here spectral distance decides")
            return
        _log.warning("the scorer hangs; it is replaced (%d so far)", self.abandoned)
        self._worker = _Worker(None, self._make)


class _Worker:
    """A thread that opens a scorer, unless it is given one, and answers one question after the other.

    Abandoned, it ends after the one that it is at.
    """

    def __init__(self, scorer: Scorer | None, make: Callable[[], Scorer]) -> None:
        self.began_s = time.monotonic()
        self.opened = threading.Event()
        """Also when it could not be opened: each answer tells why."""
        self._make = make
        self._scorer = scorer
        if scorer is not None:
            self.opened.set()
        self._questions: SimpleQueue[_Asked | None] = SimpleQueue()
        threading.Thread(target=self._run, name="scorer", daemon=True).start()

    def ask(self, asked: "_Asked") -> None:
        self._questions.put(asked)

    def cancel(self) -> None:
        if self._scorer is not None:
            self._scorer.cancel()

    def end(self) -> None:
        self._questions.put(None)

    def _run(self) -> None:
        scorer, refusal = self._scorer, ""
        if scorer is None:
            try:
                scorer = self._scorer = self._make()
            except Exception as error:  # whatever a runtime raises belongs to who asks
                refusal = f"the model cannot be opened again ({error}); copy or train it again"
                _log.error("%s", refusal)
            self.opened.set()
        while (asked := self._questions.get()) is not None:
            try:
                if scorer is None:
                    raise ModelError(refusal)
                asked.answer = asked.question(scorer)
            except Exception as error:  # whatever a runtime raises belongs to who asked
                asked.error = error
            asked.answered.set()


class _Asked:
    def __init__(self, question: Question) -> None:
        self.question = question
        self.answer: _Answer = None
        self.error: Exception | None = None
        self.answered = threading.Event()
