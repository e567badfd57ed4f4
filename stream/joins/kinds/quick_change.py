"""A quick change lets B in on its downbeat, while A's last beat dies away in echoes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from model.base.arrays import FloatArray
from stream.doors.door import JoinKind
from stream.joins.bands import BandedFade, HandOver, Passage
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinPlan
from stream.joins.sound import JoinSound, Sound

ECHO_GAIN, ECHO_DECAY = 0.5, 0.55
"""How loud the first echo is, and each later one against the one before."""
_EDGE_S = 0.006
"""Each echo begins and ends so softly, and so does A itself end."""
_COME_S = 0.010
_LEAST_BEAT_S, _MOST_BEAT_S = 0.25, 1.0


@dataclass(frozen=True, kw_only=True)
class QuickChange(JoinPlan):
    """A's last beat, and then B with echoes of that; B's lows are never covered."""

    kind: ClassVar[JoinKind] = JoinKind.QUICK_CHANGE

    beat_frames: int
    """Echoes are so far apart, which is a beat of B."""
    come_frames: int
    """B comes in so quickly before its downbeat."""

    @property
    def law(self) -> str:
        """How levels change in it, in words."""
        return "cut, echoes"

    @property
    def enters_frames(self) -> int:
        """B sounds from so long after the beginning on."""
        return max(0, self.before_frames - self.come_frames)

    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return what is heard from its beginning on (`JoinPlan`)."""
        comes = Passage(start_frame=self.enters_frames, stop_frame=self.before_frames)
        # What is left of A in the upper bands is its echoes, which die away by themselves.
        last = Passage(start_frame=self.fade_frames - self.come_frames, stop_frame=self.fade_frames)
        fade = BandedFade(
            _Echoes(outgoing, self.before_frames, self.beat_frames, rate_hz),
            incoming,
            frames=self.fade_frames,
            enters_frame=self.enters_frames,
            bands=(
                HandOver(goes=comes, comes=comes),
                HandOver(goes=last, comes=comes),
                HandOver(goes=last, comes=comes),
            ),
            rate_hz=rate_hz,
        )
        return JoinSound(fade.make, self.fade_frames, incoming)


class _Echoes:
    """A sound up to a frame, and then its last beat again and again, softer each time."""

    def __init__(self, source: Sound, cut_frame: int, beat_frames: int, rate_hz: int) -> None:
        self._source = source
        self._cut_frame = cut_frame
        self._at = 0
        self._beat: FloatArray = np.zeros((beat_frames, 2), dtype=np.float32)
        edge = min(round(_EDGE_S * rate_hz), beat_frames // 4)
        self._edges = np.ones((beat_frames, 1), dtype=np.float32)
        rise = np.sin(0.5 * np.pi * (np.arange(edge) + 0.5) / edge).astype(np.float32)
        self._edges[:edge, 0], self._edges[beat_frames - edge :, 0] = rise, rise[::-1]
        self._falls = np.append(rise[::-1], np.float32(1.0))

    def pull(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        dry = self._source.pull(min(frames, max(0, self._cut_frame - self._at)))
        beat_frames = len(self._beat)
        if len(dry):
            self._beat = np.concatenate([self._beat, dry])[-beat_frames:]
            # Cut off in the middle of a wave it would click, in the bands that only its echoes end in.
            edge = len(self._falls) - 1
            left = self._cut_frame - self._at - np.arange(len(dry))
            dry = dry * self._falls[np.where(left <= edge, edge - left, edge)][:, None]
        first, stop = self._at + len(dry) - self._cut_frame, self._at + frames - self._cut_frame
        self._at += frames
        places = np.arange(first, max(first, stop))
        gains = (ECHO_GAIN * ECHO_DECAY ** (places // beat_frames)).astype(np.float32)
        wet = (self._beat * self._edges)[places % beat_frames] * gains[:, None]
        return np.concatenate([dry, wet])


def plan_quick_change(case: JoinCase) -> QuickChange | str:
    """Return the change on B's first downbeat, which falls on A's last beat; or why there is none."""
    a, b = case.sides()
    rate_hz = case.rate_hz
    beats = b.start_beats
    if case.door is None or len(beats.times_s) < 2:
        return "the beat of the next song is not sure"
    down_frame = round(float(beats.times_s[0]) * rate_hz)
    of_a = a.end_beats.from_bar(a.end_s)
    cut = round((float(of_a.times_s[0]) if len(of_a.times_s) else a.end_s) * rate_hz)
    beat_frames = round(float(np.clip(beats.period_s, _LEAST_BEAT_S, _MOST_BEAT_S)) * rate_hz)
    before = min(beat_frames, cut - case.earliest_frame)
    if before < round(_LEAST_BEAT_S * rate_hz):
        return "there is no beat before the cut to be repeated"
    after = round(case.door.overlap_s * rate_hz)
    return QuickChange(
        begin_frame=cut - before,
        before_frames=before,
        after_frames=after,
        leave_frame=cut,
        enter_frame=down_frame,
        beat_frames=before,
        come_frames=min(before, round(_COME_S * rate_hz)),
        terms=case.level_terms(cut, down_frame, down_frame),
    )
