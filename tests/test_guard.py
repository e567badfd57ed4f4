"""The guard: a hung scorer costs its timeout, is counted and replaced; everything else passes through."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from model.arrays import FloatArray, IntArray
from stream.guard import MOST_ABANDONED, GuardedScorer
from stream.scorer import ScoringLateError
from tests.pools import MadeUpScorer

SCORES = np.arange(5, dtype=np.float32)


def good(reference: int, candidates: IntArray | None) -> FloatArray:
    return SCORES + reference


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_scores_and_errors_pass_through() -> None:
    def broken(reference: int, candidates: IntArray | None) -> FloatArray:
        raise RuntimeError("boom")

    guard = GuardedScorer(MadeUpScorer(good), lambda: MadeUpScorer(good))
    np.testing.assert_array_equal(guard.score(2, timeout_s=5), SCORES + 2)
    np.testing.assert_array_equal(guard.score(3), SCORES + 3)
    guard.close()
    failing = GuardedScorer(MadeUpScorer(broken), lambda: MadeUpScorer(good))
    with pytest.raises(RuntimeError, match="boom"):
        failing.score(0, timeout_s=5)
    assert failing.abandoned == 0
    failing.close()


def test_a_hung_scorer_is_abandoned_and_replaced(gate: threading.Event) -> None:
    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait(timeout=60)
        return SCORES

    hung = MadeUpScorer(hang)
    made: list[MadeUpScorer] = []

    def make() -> MadeUpScorer:
        made.append(MadeUpScorer(good))
        return made[-1]

    guard = GuardedScorer(hung, make)
    began_s = time.monotonic()
    with pytest.raises(ScoringLateError, match="replaced"):
        guard.score(0, timeout_s=0.05)
    assert time.monotonic() - began_s < 10
    assert guard.abandoned == 1 and hung.cancelled and len(made) == 1
    np.testing.assert_array_equal(guard.score(1, timeout_s=5), SCORES + 1)
    assert guard.abandoned == 1
    guard.close()
    guard.close()


def test_a_late_answer_of_an_abandoned_scorer_is_never_taken_for_another(gate: threading.Event) -> None:
    def slow_first(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait(timeout=60)
        return np.full(5, -1.0, dtype=np.float32)

    guard = GuardedScorer(MadeUpScorer(slow_first), lambda: MadeUpScorer(good))
    with pytest.raises(ScoringLateError):
        guard.score(0, timeout_s=0.01)
    gate.set()
    np.testing.assert_array_equal(guard.score(4, timeout_s=5), SCORES + 4)
    guard.close()


def test_after_some_that_hung_no_more_are_tried(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.guard.GRACE_S", 0.0)
    made = 0

    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait(timeout=60)
        return SCORES

    def make() -> MadeUpScorer:
        nonlocal made
        made += 1
        return MadeUpScorer(hang)

    guard = GuardedScorer(MadeUpScorer(hang), make)
    for _ in range(MOST_ABANDONED + 5):
        with pytest.raises(ScoringLateError):
            guard.score(0, timeout_s=0.01)
    assert guard.abandoned == MOST_ABANDONED and made == MOST_ABANDONED - 1
