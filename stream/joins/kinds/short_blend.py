"""A short blend crosses from one song to another in a second or two about the cut."""

from dataclasses import dataclass
from typing import ClassVar

from stream.doors.door import JoinKind
from stream.joins.fades import BLEND_HALF_S
from stream.joins.join_case import JoinCase
from stream.joins.kinds.seam_fade import SeamFade, seam_fields


@dataclass(frozen=True, kw_only=True)
class ShortBlend(SeamFade):
    """A crossfade of seconds about the cut."""

    kind: ClassVar[JoinKind] = JoinKind.SHORT_BLEND


def plan_short_blend(case: JoinCase) -> ShortBlend:
    """Return the blend about the cut; of it only the place is chosen."""
    longest_frames = round(case.settings.fade_s * case.rate_hz)
    blend_s = min(BLEND_HALF_S, longest_frames // 2 / case.rate_hz)
    return ShortBlend(
        **seam_fields(case, halves_s=(blend_s,), longest_frames=longest_frames, blend_s=blend_s)
    )
