"""The guard gives a hung scorer its timeout, counts and replaces it, and lets all else through."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from stream.scoring.guard import MOST_ABANDONED, GuardedScorer
from stream.scoring.scorer import ScoringLateError
from tests.support.pools import MadeUpScorer
from tests.support.waiting import PATIENCE_S

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
    np.testing.assert_array_equal(guard.score(2, timeout_s=PATIENCE_S), SCORES + 2)
    np.testing.assert_array_equal(guard.score(3), SCORES + 3)
    guard.close()
    failing = GuardedScorer(MadeUpScorer(broken), lambda: MadeUpScorer(good))
    with pytest.raises(RuntimeError, match="boom"):
        failing.score(0, timeout_s=PATIENCE_S)
    assert failing.abandoned == 0
    failing.close()


def test_a_hung_scorer_is_abandoned_and_replaced(gate: threading.Event) -> None:
    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait()
        return SCORES

    hung = MadeUpScorer(hang)
    made: list[MadeUpScorer] = []

    def make() -> MadeUpScorer:
        made.append(MadeUpScorer(good))
        return made[-1]

    guard = GuardedScorer(hung, make)
    with pytest.raises(ScoringLateError, match="replaced"):
        guard.score(0, timeout_s=0.05)
    assert not gate.is_set(), "the scorer that hung was not waited for"
    assert guard.abandoned == 1 and hung.cancelled and len(made) == 1
    np.testing.assert_array_equal(guard.score(1, timeout_s=PATIENCE_S), SCORES + 1)
    assert guard.abandoned == 1
    guard.close()
    guard.close()


def test_a_late_answer_of_an_abandoned_scorer_is_never_taken_for_another(gate: threading.Event) -> None:
    def slow_first(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait()
        return np.full(5, -1.0, dtype=np.float32)

    guard = GuardedScorer(MadeUpScorer(slow_first), lambda: MadeUpScorer(good))
    with pytest.raises(ScoringLateError):
        guard.score(0, timeout_s=0.01)
    gate.set()
    np.testing.assert_array_equal(guard.score(4, timeout_s=PATIENCE_S), SCORES + 4)
    guard.close()


def test_after_some_that_hung_no_more_are_tried(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.scoring.guard.GRACE_S", 0.0)
    made = 0

    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait()
        return SCORES

    def make() -> MadeUpScorer:
        nonlocal made
        made += 1
        return MadeUpScorer(hang)

    guard = GuardedScorer(MadeUpScorer(hang), make)
    deadline = time.monotonic() + PATIENCE_S
    while guard.abandoned < MOST_ABANDONED:
        assert time.monotonic() < deadline
        with pytest.raises(ScoringLateError):
            guard.score(0, timeout_s=0.01)
    with pytest.raises(ScoringLateError, match="no more are tried"):
        guard.score(0, timeout_s=0.01)
    assert guard.kept(0) is None
    assert guard.abandoned == MOST_ABANDONED and made == MOST_ABANDONED - 1


def test_a_score_without_a_timeout_and_what_is_known_are_guarded_too(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.scoring.guard.UNHURRIED_S", 0.05)
    monkeypatch.setattr("stream.scoring.guard.KNOWN_S", 0.05)

    def hang(reference: int, candidates: IntArray | None = None) -> FloatArray:
        gate.wait(timeout=60)
        return SCORES

    guard = GuardedScorer(MadeUpScorer(hang), lambda: MadeUpScorer(good))
    with pytest.raises(ScoringLateError, match="replaced"):
        guard.score(0)
    assert guard.abandoned == 1
    guard.close()
    knowing = MadeUpScorer(good)
    monkeypatch.setattr(knowing, "kept", hang)
    guard = GuardedScorer(knowing, lambda: MadeUpScorer(good))
    assert guard.kept(0) is None and guard.abandoned == 1
    np.testing.assert_array_equal(guard.score(2, timeout_s=PATIENCE_S), SCORES + 2)
    guard.close()


def test_a_replacement_that_opens_slowly_is_waited_for_and_one_that_hangs_is_abandoned(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, opened = threading.Event(), threading.Event()

    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait(timeout=60)
        return SCORES

    def make() -> MadeUpScorer:
        opening.set()
        opened.wait(timeout=60)
        return MadeUpScorer(good)

    guard = GuardedScorer(MadeUpScorer(hang), make)
    with pytest.raises(ScoringLateError, match="replaced"):
        guard.score(0, timeout_s=0.01)
    assert opening.wait(timeout=20)
    for _ in range(3):
        with pytest.raises(ScoringLateError, match="opened again"):
            guard.score(0, timeout_s=0.01)
        assert guard.kept(0) is None
    assert guard.abandoned == 1
    monkeypatch.setattr("stream.scoring.guard.UNHURRIED_S", 0.0)
    with pytest.raises(ScoringLateError, match="opened again"):
        guard.score(0, timeout_s=0.01)
    assert guard.abandoned == 2
    monkeypatch.undo()
    opened.set()
    np.testing.assert_array_equal(guard.score(3, timeout_s=PATIENCE_S), SCORES + 3)
    guard.close()


def test_a_replacement_that_cannot_be_opened_says_so(gate: threading.Event) -> None:
    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait(timeout=60)
        return SCORES

    def make() -> MadeUpScorer:
        raise OSError("no such file")

    guard = GuardedScorer(MadeUpScorer(hang), make)
    with pytest.raises(ScoringLateError, match="replaced"):
        guard.score(0, timeout_s=0.01)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"cannot be opened again \(no such file\)"):
            guard.score(0, timeout_s=PATIENCE_S)
    assert guard.kept(0) is None and guard.abandoned == 1
    guard.close()
