"""A standstill is a time in which this process was stopped, so that nothing was counted."""

import logging
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

LEAST_S = 0.5
"""What is shorter is the machine being busy."""
STOP_TOLD_S = 60.0
"""For so long a standstill is told of."""
_WATCH_S = 0.5
_WARN_INTERVAL_S = 10.0
_MOST_LATELY = 256


class Stops:
    """Counts standstills by waits that took far longer than was asked for; any thread may read the counters.

    A thread that does nothing but wait finds each, however busy all others are.

    What was missed meanwhile depends on the output; this is the time that each was without the stream.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.count = 0
        self.total_s = 0.0
        self._clock_s = clock
        self._warned_s = -_WARN_INTERVAL_S
        self._latest: deque[tuple[float, float]] = deque(maxlen=_MOST_LATELY)

    def watch(self, wait: Callable[[float], bool]) -> None:
        """Wait again and again, until `wait`, for some seconds, says that it is over; a thread of its own."""
        over = False
        while not over:
            began_s = self._clock_s()
            over = wait(_WATCH_S)
            self._note(self._clock_s() - began_s - _WATCH_S)

    def _note(self, over_s: float) -> None:
        if over_s < LEAST_S:
            return
        now_s = self._clock_s()
        self.count += 1
        self.total_s += over_s
        self._latest.append((now_s, over_s))
        if now_s - self._warned_s >= _WARN_INTERVAL_S:
            self._warned_s = now_s
            _log.warning("this process stood still for %.1f s: it was stopped, or the machine was", over_s)

    def lately_s(self) -> float:
        """Return how long it stood still within the last `STOP_TOLD_S`."""
        since_s = self._clock_s() - STOP_TOLD_S
        return sum(over_s for at_s, over_s in tuple(self._latest) if at_s >= since_s)


class Standstill:
    """Finds out what a device did not get meanwhile; belongs to the thread that looks, again and again."""

    def __init__(self, rate_hz: int, every_s: float, clock: Callable[[], float]) -> None:
        """every_s: how often it is looked."""
        self._rate_hz = rate_hz
        self._every_s = every_s
        self._clock_s = clock
        self._looked_s: float | None = None
        self._frames_out = 0

    def look(self, frames_out: int, latency_s: float) -> int:
        """Return the frames that were missed since the last look; 0 where this process was not stopped.

        frames_out: handed on so far. latency_s: what the device had in advance.
        """
        now_s = self._clock_s()
        before_s, self._looked_s = self._looked_s, now_s
        got, self._frames_out = frames_out - self._frames_out, frames_out
        if before_s is None or now_s - before_s - self._every_s < LEAST_S:
            return 0
        return max(0, round((now_s - before_s - latency_s) * self._rate_hz) - got)
