"""A tempo blend brings A to B's tempo and beats, and hands over highs, mids and lows one after the other."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from model.base.arrays import DoubleArray
from stream.doors.beat_match import BeatMatch, match_beats
from stream.doors.door import JoinKind
from stream.doors.settings import MOST_STRETCH, DoorSettings
from stream.doors.side import SOONER_S
from stream.joins.bands import HIGHS, MIDS, BandedFade, HandOver
from stream.joins.grid_fit import MOST_BETWEEN, GridFit, fit_grid
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinPlan
from stream.joins.sound import JoinSound, Sound
from stream.joins.stretch import Stretcher

TEMPO_RAMP_S = SOONER_S
"""A is brought to B's tempo in so long, or in what its last chunk leaves for it."""
_RAMP_STEPS = 16
_LEAST_RAMP_S = 0.25
_AROUND_S = 0.5
_APART_FRAMES = 64
"""Two times of a course are at least so far apart."""
_MOST_BEND = 0.12
_FITTED_BARS = 4
"""So many are listened to: of what follows, A's highs are hardly heard."""
LOWS_AT = 0.65
"""The share of the overlap near which the lows are handed over, in a beat before a downbeat of B."""


@dataclass(frozen=True, kw_only=True)
class TempoBlend(JoinPlan):
    """Bars of both: A is played along a course of its own, B as it is. Times count from the beginning."""

    kind: ClassVar[JoinKind] = JoinKind.TEMPO_BLEND

    ramp_frames: int
    """A alone changes its tempo for so long; then B enters."""
    played_frames: tuple[int, ...]
    """At these times, the first of which is 0, ..."""
    heard_frames: tuple[int, ...]
    """... these frames of A sound, counted from `begin_frame`; evenly in between."""
    lows: tuple[int, int]
    mids: tuple[int, int]
    highs: tuple[int, int]
    """From when to when each band is handed over."""
    bars: int
    """Bars of B for which both sound."""
    tempo_factor: float
    """A is played so many times as fast where both sound."""

    @property
    def law(self) -> str:
        """How levels change in it, in words."""
        return "power-complementary by bands"

    @property
    def enters_frames(self) -> int:
        """B sounds from so long after the beginning on."""
        return self.ramp_frames

    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return what is heard from its beginning on (`JoinPlan`)."""
        played, heard = np.array(self.played_frames), np.array(self.heard_frames)
        fade = BandedFade(
            Stretcher(outgoing, played, heard, rate_hz),
            incoming,
            frames=self.fade_frames,
            enters_frame=self.ramp_frames,
            bands=[HandOver.at_once(*band) for band in (self.lows, self.mids, self.highs)],
            rate_hz=rate_hz,
        )
        return JoinSound(fade.make, self.fade_frames, incoming)


def plan_tempo_blend(case: JoinCase) -> TempoBlend | str:
    """Return the blend of as many bars as the door gives, fitted to the attacks; or why there is none."""
    if case.door is None:
        return "nothing says for how many bars"
    a_side, b_side = case.sides()
    match = match_beats(a_side, b_side, DoorSettings(stretch=MOST_STRETCH))
    if isinstance(match, str):
        return match
    match = match.first_bars(min(case.door.overlap_bars, match.bars))
    rate_hz, (start, _) = case.rate_hz, case.b_span
    a_lines, b_lines = (times[:: match.bar_beats] * rate_hz for times in (match.a_s, match.b_s))
    fit = _fit(case, a_lines, b_lines, match.bar_beats)
    for whose, between in zip(("left", "entered"), fit.between, strict=True):
        if between > MOST_BETWEEN and not fit.half_beats:
            return f"the beats of the song that is {whose} lie half-way between its attacks"
    # A line lies between two bars, and what was not listened to is as late as what was.
    offsets = np.pad(fit.offsets, (1, len(a_lines) - len(fit.offsets)), mode="edge")
    a_lines = a_lines + 0.5 * (offsets[1:] + offsets[:-1])
    factor = float((a_lines[1] - a_lines[0]) / (b_lines[1] - b_lines[0]))
    # Where A is as B enters, which is at the start of its chunk.
    entered = a_lines[0] - factor * (b_lines[0] - start)
    if np.abs(np.diff(a_lines) / np.diff(b_lines) - 1.0).max() > _MOST_BEND:
        return "the attacks of both do not go together"
    ramp = _ramp_frames(case, entered, factor)
    if ramp < _LEAST_RAMP_S * rate_hz:
        return "there is no room before the bar for a change of tempo"
    played, heard = _course(entered, ramp, factor, a_lines, b_lines - start)
    frames = ramp + round(float(b_lines[-1]) - start)
    lows = _lows(match, ramp, start, rate_hz)
    overlap = frames - ramp
    begin = round(float(heard[0]))
    left = round(float(np.interp(lows[1], played, heard)))
    return TempoBlend(
        begin_frame=begin,
        before_frames=lows[1],
        after_frames=frames - lows[1],
        leave_frame=left,
        enter_frame=start + lows[1] - ramp,
        ramp_frames=ramp,
        played_frames=tuple(round(float(frame)) for frame in played),
        heard_frames=tuple(round(float(frame)) - begin for frame in heard),
        lows=lows,
        mids=(ramp + round(MIDS[0] * overlap), ramp + round(MIDS[1] * overlap)),
        highs=(ramp + round(HIGHS[0] * overlap), ramp + round(HIGHS[1] * overlap)),
        bars=match.bars,
        tempo_factor=factor,
        terms={
            **case.level_terms(begin, start, start + overlap),
            "tempo_ratio": 1.0 / factor,
            **_terms(fit, rate_hz),
        },
    )


def _fit(case: JoinCase, a_lines: DoubleArray, b_lines: DoubleArray, bar_beats: int) -> GridFit:
    """Return how the attacks of both lie to each other in the first bars."""
    around = round(_AROUND_S * case.rate_hz)
    a_heard, b_heard = a_lines[: _FITTED_BARS + 1], b_lines[: _FITTED_BARS + 1]
    a_first, b_first = (round(float(lines[0])) - around for lines in (a_lines, b_lines))
    a = case.read(case.a, a_first, round(float(a_heard[-1])) + around)
    b = case.read(case.b, b_first, round(float(b_heard[-1])) + around)
    return fit_grid(a, b, a_heard - a_first, b_heard - b_first, case.rate_hz, bar_beats=bar_beats)


def _terms(fit: GridFit, rate_hz: int) -> dict[str, float | None]:
    """Return what was found, as the log has it."""
    to_ms = 1e3 / rate_hz
    return {
        "onset_ms": to_ms * float(np.median(fit.offsets)),
        "onset_correlation": float(np.median(fit.correlations)),
        "beat_error_ms": None if np.isnan(fit.error_frames) else to_ms * fit.error_frames,
    }


def _ramp_frames(case: JoinCase, entered: float, factor: float) -> int:
    """Return in how long A goes evenly from its own tempo to another, as it is `entered` in its song then."""
    longest = 2.0 * (entered - case.earliest_frame) / (1.0 + factor)
    return int(min(longest, TEMPO_RAMP_S * case.rate_hz))


def _course(
    entered: float, ramp: int, factor: float, a_lines: DoubleArray, b_lines: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """Return when which frame of A's song sounds: times from the beginning, rising, and those frames.

    b_lines: from B's start on.
    """
    along = np.linspace(0.0, 1.0, _RAMP_STEPS + 1)
    begin = entered - ramp * (1.0 + factor) / 2.0
    ramped = begin + ramp * (along + (factor - 1.0) * np.square(along) / 2.0)
    later = b_lines >= _APART_FRAMES
    return (
        np.concatenate([along * ramp, ramp + b_lines[later]]),
        np.concatenate([ramped, a_lines[later]]),
    )


def _lows(match: BeatMatch, ramp: int, start: int, rate_hz: int) -> tuple[int, int]:
    """Return from when to when the lows are handed over: the beat before a downbeat of B."""
    bar = int(np.clip(np.round(LOWS_AT * match.bars), 1, max(1, match.bars - 1)))
    beat = bar * match.bar_beats
    before, down = (ramp + round(float(match.b_s[place]) * rate_hz) - start for place in (beat - 1, beat))
    return before, down
