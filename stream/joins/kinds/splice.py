"""A splice goes on elsewhere by a fade of some hundredths of a second, within a song or at once."""

from dataclasses import dataclass
from typing import ClassVar

from stream.doors.door import JoinKind
from stream.joins.beat_fit import beat_fit
from stream.joins.fades import BEATLESS_HALF_S, SPLICE_HALVES_S
from stream.joins.join_case import JoinCase
from stream.joins.kinds.seam_fade import JUMP_FADE_S, SeamFade, seam_fields


@dataclass(frozen=True, kw_only=True)
class Splice(SeamFade):
    """A short crossfade about the cut."""

    kind: ClassVar[JoinKind] = JoinKind.SPLICE


def plan_splice(case: JoinCase) -> Splice:
    """Return the splice that is heard least; whoever asked for another song waits for none."""
    longest_frames = round(case.settings.fade_s * case.rate_hz)
    beatless = case.at_once is None and beat_fit(case.a, case.b) is None
    half_s = min(BEATLESS_HALF_S, 0.5 * case.settings.fade_s) if beatless else 0.0
    halves_s = (half_s,) if beatless else SPLICE_HALVES_S
    return Splice(**seam_fields(case, halves_s=halves_s, longest_frames=longest_frames, blend_s=half_s))


def plan_skip(case: JoinCase, at_frame: int) -> Splice:
    """Return a fade out of whatever sounds, a join under way too, from a frame on."""
    half = min(round(JUMP_FADE_S * case.rate_hz), round(case.settings.fade_s * case.rate_hz)) // 2
    b_start, _ = case.b_span
    return Splice(
        begin_frame=at_frame,
        before_frames=half,
        after_frames=half,
        leave_frame=at_frame + half,
        # What begins with its song has nothing before that.
        enter_frame=max(b_start, half),
        correlation=0.0,
    )
