"""A plain fade takes seconds from one song to another, where nothing is to be put on a beat."""

from dataclasses import dataclass
from typing import ClassVar

from stream.doors.door import JoinKind
from stream.joins.bands import BandedFade, HandOver
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinPlan
from stream.joins.sound import JoinSound, Sound

LEAST_PLAIN_FADE_S = 1.0
STANDING_IN_S = 4.0
"""A fade that stands in for another kind takes no longer."""


@dataclass(frozen=True, kw_only=True)
class PlainFade(JoinPlan):
    """A fade of equal power from A's cut on, B from its start on."""

    kind: ClassVar[JoinKind] = JoinKind.PLAIN_FADE

    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return what is heard from its beginning on (`JoinPlan`)."""
        whole = HandOver.at_once(0, self.fade_frames)
        fade = BandedFade(
            outgoing,
            incoming,
            frames=self.fade_frames,
            enters_frame=0,
            bands=(whole, whole, whole),
            rate_hz=rate_hz,
        )
        return JoinSound(fade.make, self.fade_frames, incoming)


def plan_plain_fade(case: JoinCase) -> PlainFade | str:
    """Return a fade of the length that the door gives, or less where a song has no more; or why not."""
    (_, cut), (start, _) = case.a_span, case.b_span
    wanted_s = case.door.overlap_s if case.door is not None else 0.0
    if case.door is not None and case.door.kind is not JoinKind.PLAIN_FADE:
        # What was to be on the beat and cannot be does not sound for long beside another beat.
        wanted_s = min(wanted_s, STANDING_IN_S)
    left = case.a.generation.reader.song_frames(case.a.song_index) - cut
    there = (case.b.generation.reader.song_frames(case.b.song_index) - start) // 2
    frames = min(round(wanted_s * case.rate_hz), left, there)
    if frames < LEAST_PLAIN_FADE_S * case.rate_hz:
        return f"the songs have {max(0, frames) / case.rate_hz:.1f} s for each other"
    half = frames // 2
    return PlainFade(
        begin_frame=cut,
        before_frames=half,
        after_frames=frames - half,
        leave_frame=cut + half,
        enter_frame=start + half,
        terms=case.level_terms(cut, start + frames),
    )
