"""This module passes decisions on, and remembers the last join as a listener would judge it."""

from collections.abc import Callable

from stream.engine.decisions import Decision
from stream.pool.feedback import REACH_S, HeardJoin


class LastJoin:
    """Passes every decision on, and knows the last join."""

    def __init__(self, on_decision: Callable[[Decision], None] | None) -> None:
        self._on_decision = on_decision
        self.join: HeardJoin | None = None
        """None before the first."""
        self.entered_frames = 0
        """Stream time, in engine frames, from which what was decided last is what plays."""

    def __call__(self, decision: Decision) -> None:
        """Take up one decision; for the thread that renders."""
        self.entered_frames = decision.t_out_frames
        before, after = decision.before, decision.step.chunk
        if before is not None and not decision.step.natural:
            # At its cut, whatever the join was shifted by; after `next`, where it was left.
            rate_hz, end_sample = before.song.sample_rate_hz, before.key.end_sample
            if decision.left_at_s is not None and abs(decision.left_at_s - before.end_s) > REACH_S:
                end_sample = round(decision.left_at_s * rate_hz)
            # Numbers alone: a chunk would keep its generation open.
            self.join = HeardJoin(
                from_hash=before.song.audio_hash,
                from_end_sample=end_sample,
                to_hash=after.song.audio_hash,
                to_start_sample=after.key.start_sample,
            )
        if self._on_decision is not None:
            self._on_decision(decision)
