"""A plain fade takes seconds from one song to another, on the beat where one is heard in both."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from stream.choosing.generation import Chunk
from stream.doors.door import JoinKind
from stream.joins.bands import HIGHS, MIDS, BandedFade, HandOver
from stream.joins.beat_fit import BeatFit, heard_beat_fit
from stream.joins.fades import BLEND_HALF_S
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinPlan
from stream.joins.sound import JoinSound, Sound
from stream.joins.steady import USUAL_S, frames_to_steady

LEAST_PLAIN_FADE_S = 2.0 * BLEND_HALF_S
"""A short blend takes as long."""
STANDING_IN_S = 12.0
"""A fade that stands in for another kind takes no longer."""
SPARED_SHARE = 0.25
"""A fade may be so much shorter to end where B is steady."""
LOWS = (0.55, 0.8)
"""Shares of the fade between which the lows are handed over: two basses are not heard at once for long."""


@dataclass(frozen=True, kw_only=True)
class PlainFade(JoinPlan):
    """A fade of equal power, one band after the other, from A's cut on, B from its start on."""

    kind: ClassVar[JoinKind] = JoinKind.PLAIN_FADE

    lows: tuple[int, int]
    mids: tuple[int, int]
    highs: tuple[int, int]
    """From when to when each band is handed over."""

    @property
    def law(self) -> str:
        """How levels change in it, in words."""
        return "power-complementary by bands"

    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return what is heard from its beginning on (`JoinPlan`)."""
        fade = BandedFade(
            outgoing,
            incoming,
            frames=self.fade_frames,
            enters_frame=0,
            bands=[HandOver.at_once(*band) for band in (self.lows, self.mids, self.highs)],
            rate_hz=rate_hz,
        )
        return JoinSound(fade.make, self.fade_frames, incoming)


def plan_plain_fade(case: JoinCase) -> PlainFade | str:
    """Return a fade of the length that the door gives, or less where a song has no more; or why not.

    It begins and ends where the songs are steady, a little sooner than at the cut and than asked for. Where
    a beat of one tempo is heard in both, it begins up to half a beat sooner or later, so that these meet.
    """
    (_, cut), (start, _) = case.a_span, case.b_span
    wanted_s = case.door.overlap_s if case.door is not None else 0.0
    if case.door is not None and case.door.kind is not JoinKind.PLAIN_FADE:
        wanted_s = min(wanted_s, STANDING_IN_S)
    a_side, _ = case.sides()
    # Where A is soon over it begins to go while it sounds; else at its cut, unless it is to be heard out.
    latest = max(case.earliest_frame, round((a_side.heard_end_s - wanted_s) * case.rate_hz))
    if case.door is None or not case.door.plays_out:
        latest = min(cut, latest)
    room = min(latest - case.earliest_frame, case.ahead_frames)
    begin = latest - _sooner(case, case.a, latest, room, "before")
    left = case.a.generation.reader.song_frames(case.a.song_index) - begin
    there = (case.b.generation.reader.song_frames(case.b.song_index) - start) // 2
    frames = min(round(wanted_s * case.rate_hz), left, there)
    if frames < LEAST_PLAIN_FADE_S * case.rate_hz:
        return f"the songs have {max(0, frames) / case.rate_hz:.1f} s for each other"
    frames -= _sooner(case, case.b, start + frames, round(SPARED_SHARE * frames), "after")
    half = frames // 2
    fit = heard_beat_fit(case, begin + half, start + half)
    moved = 0 if fit is None else _moved(fit, case, begin, left - frames, frames)
    begin, frames = begin + moved, min(frames, left - moved)
    half = frames // 2
    return PlainFade(
        begin_frame=begin,
        before_frames=half,
        after_frames=frames - half,
        leave_frame=begin + half,
        enter_frame=start + half,
        lows=_part(LOWS, frames),
        mids=_part(MIDS, frames),
        highs=_part(HIGHS, frames),
        terms={
            **case.level_terms(begin, start, start + frames),
            "tempo_ratio": None if fit is None else fit.tempo_ratio,
            "beat_move_ms": None if fit is None else 1e3 * moved / case.rate_hz,
            "beat_error_ms": None if fit is None else 1e3 * fit.error_s(moved / case.rate_hz),
        },
    )


def _moved(fit: BeatFit, case: JoinCase, begin: int, spare: int, frames: int) -> int:
    """Return by how much later a fade that begins at a frame of A has its beats together.

    That is less than a beat, and half of one where there is room for either way. spare: A goes on for so many
    frames when the fade is over; where it begins later than that lets it, it is so much shorter.
    """
    step = fit.step_s * case.rate_hz
    moved = fit.shift_s * case.rate_hz
    if begin + moved < case.earliest_frame:
        moved += step
    elif moved > spare and begin + moved - step >= case.earliest_frame:
        moved -= step
    long_enough = frames - max(0.0, moved - spare) >= LEAST_PLAIN_FADE_S * case.rate_hz
    return round(moved) if long_enough else 0


def _part(shares: tuple[float, float], frames: int) -> tuple[int, int]:
    """Return from where to where a share of a fade lies."""
    first, stop = (round(share * frames) for share in shares)
    return first, stop


def _sooner(case: JoinCase, chunk: Chunk, frame: int, room: int, side: Literal["before", "after"]) -> int:
    """Return by how much sooner than at a frame of a chunk's song, `room` at most, that is steady."""
    usual = round(USUAL_S * case.rate_hz)
    first, stop = frame - room - usual * (side == "before"), frame + usual * (side == "after")
    return frames_to_steady(case.read(chunk, first, stop), room, side, case.rate_hz)
