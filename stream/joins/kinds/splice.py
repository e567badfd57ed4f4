"""A splice goes on elsewhere by a fade of some hundredths of a second, within a song or at once."""

from dataclasses import dataclass
from typing import ClassVar

from stream.doors.door import JoinKind
from stream.joins.fades import SPLICE_HALVES_S
from stream.joins.join_case import JoinCase
from stream.joins.kinds.seam_fade import JUMP_FADE_S, SeamFade, seam_fields


@dataclass(frozen=True, kw_only=True)
class Splice(SeamFade):
    """A short crossfade about the cut."""

    kind: ClassVar[JoinKind] = JoinKind.SPLICE


def plan_splice(case: JoinCase) -> Splice:
    """Return the splice that is heard least; whoever asked for another song waits for none."""
    longest_frames = round(case.settings.fade_s * case.rate_hz)
    return Splice(**seam_fields(case, halves_s=SPLICE_HALVES_S, longest_frames=longest_frames, blend_s=0.0))


def plan_skip(case: JoinCase, at_frame: int) -> Splice:
    """Return a fade out of whatever sounds, a join under way too, from a frame on."""
    half = min(round(JUMP_FADE_S * case.rate_hz), round(case.settings.fade_s * case.rate_hz)) // 2
    b_start, _ = case.b_span
    return Splice(
        begin_frame=at_frame,
        before_frames=half,
        after_frames=half,
        leave_frame=at_frame + half,
        enter_frame=b_start,
        correlation=0.0,
    )
