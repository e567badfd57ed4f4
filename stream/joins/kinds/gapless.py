"""A gapless join goes on with the next track of an album where the one before ends, and does nothing."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from model.base.arrays import FloatArray
from stream.doors.door import JoinKind
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinPlan
from stream.joins.levels import song_gain_db
from stream.joins.sound import JoinSound, Sound


@dataclass(frozen=True, kw_only=True)
class Gapless(JoinPlan):
    """Two tracks, sample after sample; B has A's gain at first."""

    kind: ClassVar[JoinKind] = JoinKind.GAPLESS

    @property
    def law(self) -> str:
        """How levels change in it, in words."""
        return "none"

    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return B alone (`JoinPlan`)."""
        return JoinSound(_nothing, 0, incoming)

    def levelled(self, residual_db: float, rate_hz: int) -> Self:
        """Return the plan with the gain that A has: an album was mastered as one."""
        return self._with_match((self.terms["gain_difference_db"] or 0.0) + residual_db, rate_hz)


def plan_gapless(case: JoinCase) -> Gapless:
    """Return the join at the end of A's song and the start of B's."""
    target_lufs = case.settings.target_lufs
    gains_db = [song_gain_db(chunk.song, target_lufs) for chunk in (case.a, case.b)]
    (_, stop), (start, _) = case.a_span, case.b_span
    return Gapless(
        begin_frame=stop,
        before_frames=0,
        after_frames=0,
        leave_frame=stop,
        enter_frame=start,
        terms={"gain_difference_db": gains_db[0] - gains_db[1]},
    )


def _nothing(first: int, stop: int) -> FloatArray:
    return np.empty((0, 2), dtype=np.float32)
