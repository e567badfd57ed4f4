"""The schedule of a stream says when its next block is due, by the wall clock or as a leader goes."""

LEADER_SLEW = 0.05
"""The most by which a leader's clock is taken to differ from the wall clock; what goes beyond is a stall."""
_MOST_SINCE_S = 1.0
"""A leader is not believed to have drifted for longer than this between two blocks."""


class Schedule:
    """Counts what is pulled, from a moment at which it is known what was heard; `frames` may be read by any.

    Times are seconds of the pacer's clock.
    """

    def __init__(self, rate_hz: int, block_frames: int, now_s: float, *, lead_frames: int = 0) -> None:
        """Make one of a stream of which nothing is pulled; lead_frames: what is due at once, in advance."""
        self._rate_hz = rate_hz
        self._block_frames = block_frames
        self._lead_frames = lead_frames
        # At `_anchor_s` the stream was heard up to `_anchor_frames`.
        self._anchor_s = self._followed_s = now_s
        self._anchor_frames = lead_frames
        self.blocks = 0

    @property
    def frames(self) -> int:
        """What has been pulled."""
        return self.blocks * self._block_frames

    @property
    def leads(self) -> bool:
        """Whether the next block is one of those that are due in advance, for which nobody waits."""
        return self.frames < self._lead_frames

    def due_s(self) -> float:
        """Return when the next block is due."""
        return self._anchor_s + (self.frames - self._anchor_frames) / self._rate_hz

    def count(self) -> None:
        """Take note of a block that is pulled."""
        self.blocks += 1

    def begin(self, now_s: float) -> None:
        """Let the clock run from now; what is due in advance stays so."""
        self._anchor_s = self._followed_s = now_s

    def stand(self, now_s: float) -> None:
        """Let the next block be due now: the stream has stood still."""
        self.begin(now_s)
        self._anchor_frames = self.frames

    def give_up(self, lateness_s: float) -> None:
        """Leave out what is late."""
        self._anchor_s += lateness_s

    def follow(self, due_s: float, now_s: float, *, by_clock_only: bool) -> None:
        """Take over when a leader asks for the next block, as the time from which the wall clock would go on.

        by_clock_only: only as far as two clocks may differ; what a leader stood still, others would lose.
        """
        if by_clock_only:
            most_s = LEADER_SLEW * min(now_s - self._followed_s, _MOST_SINCE_S)
            due_s = min(max(due_s, self.due_s() - most_s), self.due_s() + most_s)
        self._followed_s = self._anchor_s = now_s
        self._anchor_frames = self.frames - round((due_s - now_s) * self._rate_hz)
