"""The lateness of a stream says how far its blocks come after they were due."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)

LATE_S = 0.05
WARN_LATENESS_S = 0.2
WARN_INTERVAL_S = 10.0


class Lateness:
    """Counts late blocks; `note` belongs to one thread, the counters may be read by any."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock_s = clock
        self._warned_s = -WARN_INTERVAL_S
        self.late_blocks = 0
        """Blocks that came more than 50 ms after they were due."""
        self.most_s = 0.0

    def note(self, lateness_s: float, cause: str) -> None:
        """Take note of one block: how late it is, negative where it is early, and why that may be."""
        self.most_s = max(self.most_s, lateness_s)
        self.late_blocks += lateness_s > LATE_S
        now_s = self._clock_s()
        if lateness_s > WARN_LATENESS_S and now_s - self._warned_s > WARN_INTERVAL_S:
            self._warned_s = now_s
            _log.warning("the stream is %.2f s behind: %s", lateness_s, cause)
