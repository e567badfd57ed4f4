"""The tally counts decisions by rung and by the time that they lay ready, for health and metrics."""

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream.engine.decisions import Decision

MARGIN_BOUNDS_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Upper bounds of the classes that margins are counted in; what is more is in one more."""
_MOST_LATE = 256


@dataclass(frozen=True, kw_only=True)
class DecisionFigures:
    """How decisions went; what is counted only ever grows."""

    by_rung: Mapping[str, int]
    """How many were decided by each rung."""
    by_margin: tuple[int, ...]
    """How many lay ready for so long: classes as `MARGIN_BOUNDS_S` bounds them, and one more."""
    margins_s: float
    """Sum of all margins."""
    late: int
    """How many came late, or were fallen back on (`stream.choosing.step.Step.late`)."""
    late_ago_s: tuple[float, ...]
    """How long ago the latest of those were taken, newest last."""
    margin_s: float | None
    """Of the last one."""
    decision_ms: float | None
    """What the last one took."""
    rung: str | None
    """Of the last one."""

    def late_within(self, last_s: float) -> int:
        """Return how many came late within the last seconds, as far as is remembered."""
        return sum(ago_s <= last_s for ago_s in self.late_ago_s)


class DecisionTally:
    """Passes every decision on, and counts it; `figures` is for any thread, the rest for the renderer's."""

    def __init__(
        self,
        on_decision: Callable[[Decision], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_decision = on_decision
        self._clock_s = clock
        self._by_rung: Counter[str] = Counter()
        self._by_margin = [0] * (len(MARGIN_BOUNDS_S) + 1)
        self._margins_s = 0.0
        self._late = 0
        self._late_at_s: deque[float] = deque(maxlen=_MOST_LATE)
        self._last: tuple[float | None, float, str] | None = None

    def __call__(self, decision: Decision) -> None:
        """Take up one decision."""
        step = decision.step
        self._by_rung[step.rung] += 1
        if step.margin_s is not None:
            self._by_margin[bisect_left(MARGIN_BOUNDS_S, step.margin_s)] += 1
            self._margins_s += step.margin_s
        if step.late:
            self._late += 1
            self._late_at_s.append(self._clock_s())
        self._last = (step.margin_s, step.decision_ms, step.rung)
        if self._on_decision is not None:
            self._on_decision(decision)

    def figures(self) -> DecisionFigures:
        """Return a snapshot."""
        now_s = self._clock_s()
        margin_s, decision_ms, rung = self._last or (None, None, None)
        return DecisionFigures(
            by_rung=dict(self._by_rung),
            by_margin=tuple(self._by_margin),
            margins_s=self._margins_s,
            late=self._late,
            # Another thread may add one meanwhile, which a list that is made in one go does not mind.
            late_ago_s=tuple(now_s - at_s for at_s in list(self._late_at_s)),
            margin_s=margin_s,
            decision_ms=decision_ms,
            rung=rung,
        )
