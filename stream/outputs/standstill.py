"""A standstill is a time in which this process was stopped, so that nothing was counted."""

from collections.abc import Callable

LEAST_S = 0.5
"""What is shorter is the machine being busy."""


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
