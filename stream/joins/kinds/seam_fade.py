"""A seam fade crosses from one song to another near a cut, where the audio of both hides it best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.base.arrays import FloatArray
from stream.joins.align import find_shift
from stream.joins.beat_fit import beat_fit, heard_beat_fit
from stream.joins.crossfade import correlation, fade_gains
from stream.joins.fades import BLEND_HALF_S, PLACES_S, Limits, choose_fade
from stream.joins.join_case import JOIN_REACH_FRAMES, JoinCase
from stream.joins.join_plan import JoinPlan
from stream.joins.levels import loudness_lufs, matched_db
from stream.joins.settings import SoundSettings
from stream.joins.sound import JoinSound, Sound
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, Seam

LONGEST_SHIFT_S = 0.3
FREE_SHIFT_S = 0.075
"""Without beats B is moved by no more."""
_LEVEL_S = 0.7
"""Levels are matched over this much before A's cut and after B's start, of a blend before and after it."""
LEAST_HALF_S = 0.05
"""Where a song ends in full and the next begins so, B comes so much sooner that either half is as long."""
JUMP_LEAD_S = 0.030
"""A join that begins at once has its seam this much later."""
JUMP_WAIT_S = 0.03
"""It waits for a beat no longer than this."""
JUMP_FADE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class SeamFade(JoinPlan):
    """A crossfade about the cut: both are equally loud in the middle."""

    correlation: float
    """Correlation of both inside the fade, which chooses the fade's law."""

    @property
    def law(self) -> str:
        """How levels change in it, in words."""
        return f"power-complementary, r = {self.correlation:.2f}"

    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return what is heard from its beginning on (`JoinPlan`)."""
        gain_out, gain_in = fade_gains(self.before_frames, self.after_frames, self.correlation)

        def make(first: int, stop: int) -> FloatArray:
            out, come = gain_out[first:stop, None], gain_in[first:stop, None]
            mixed: FloatArray = outgoing.pull(stop - first) * out + incoming.pull(stop - first) * come
            return mixed

        return JoinSound(make, self.fade_frames, incoming)


def seam_ahead_frames(settings: SoundSettings) -> int:
    """Return how long before A's cut a seam fade may begin, whatever comes after."""
    half_s = min(settings.fade_s, BLEND_HALF_S)
    return round((LONGEST_SHIFT_S + PLACES_S + half_s) * settings.engine_rate_hz)


def seam_fields(
    case: JoinCase, *, halves_s: Sequence[float], longest_frames: int, blend_s: float
) -> dict[str, Any]:
    """Return the fields of the best `SeamFade`.

    halves_s: how long either half may be. blend_s: its half, where that is settled; else 0.
    """
    rate_hz, jump_frame = case.rate_hz, case.at_once
    (_, a_stop), (b_start, b_stop) = case.a_span, case.b_span
    cut = a_stop if jump_frame is None else jump_frame + round(JUMP_LEAD_S * rate_hz)
    a, b = case.around(case.a, cut), case.around(case.b, b_start)
    fit = beat_fit(case.a, case.b, cut_after_end_s=(cut - a_stop) / rate_hz)
    if fit is None and jump_frame is None:
        fit = heard_beat_fit(case, cut, b_start)
        fit = fit if fit is not None and abs(fit.shift_s) <= LONGEST_SHIFT_S else None
    grid_s = None if fit is None else fit.shift_s
    if fit is not None and grid_s is not None and jump_frame is not None:
        # Not back, and not far ahead: the listener waits.
        grid_s = grid_s % fit.period_s
        grid_s = grid_s if grid_s <= JUMP_WAIT_S else None
    longest_s = FREE_SHIFT_S if grid_s is None else LONGEST_SHIFT_S
    if jump_frame is not None:
        longest_s = JUMP_WAIT_S
        longest_frames = min(longest_frames, round(JUMP_FADE_S * rate_hz))
    shift = find_shift(a, b, rate_hz, grid_s=grid_s, longest_s=longest_s)
    difference_db = _level_difference_db(a, b, blend_s, rate_hz)
    limits = Limits(
        longest_frames=longest_frames,
        before_cut_frames=a_stop - case.earliest_frame,
        after_start_frames=(b_stop - b_start) // 2,
        earliest_frames=None if jump_frame is None else jump_frame - cut,
        a_left_frames=case.a.generation.reader.song_frames(case.a.song_index) - cut,
        b_before_frames=b_start,
    )
    least_s = 2.0 * (blend_s or LEAST_HALF_S)
    shift_frames = limits.moved(shift.frames, min(longest_frames, round(least_s * rate_hz)))
    fade = choose_fade(a, b, shift_frames, matched_db(difference_db), limits, rate_hz, halves_s)
    middle, before, after = fade.middle_frames, fade.before_frames, fade.after_frames
    return {
        "begin_frame": cut + middle - before,
        "leave_frame": cut + middle,
        "enter_frame": b_start + middle - shift_frames,
        "before_frames": before,
        "after_frames": after,
        "correlation": _correlation(a, b, middle, shift_frames, before, after),
        "shift_frames": shift_frames,
        "terms": {
            "level_difference_db": difference_db,
            "grid_ms": shift.grid_ms,
            "onset_ms": shift.onset_ms,
            "onset_correlation": shift.onset_correlation,
            "sample_ms": shift.sample_ms,
            "sample_correlation": shift.sample_correlation,
            "tempo_ratio": None if fit is None else fit.tempo_ratio,
            "beat_error_ms": None if fit is None else 1e3 * fit.error_s(shift_frames / rate_hz),
            "bar_offset_beats": None if fit is None else fit.bar_offset_beats(shift_frames / rate_hz),
            **{f"{name}_cost_db": cost for name, cost in fade.costs_db.items()},
        },
    }


def _level_difference_db(a: Seam, b: Seam, apart_s: float, rate_hz: int) -> float:
    """Return by how much A is louder up to `apart_s` before its cut than B from that long after its start."""
    apart, level = (round(seconds * rate_hz / SURROUNDINGS_HOP_FRAMES) for seconds in (apart_s, _LEVEL_S))
    before, after = len(a.power) // 2 - apart, len(b.power) // 2 + apart
    a_lufs = loudness_lufs(a.power[max(0, before - level) : before])
    return a_lufs - loudness_lufs(b.power[after : after + level])


def _correlation(a: Seam, b: Seam, middle: int, shift: int, before: int, after: int) -> float:
    first, stop = middle - before + JOIN_REACH_FRAMES, middle + after + JOIN_REACH_FRAMES
    if first < 0 or first - shift < 0 or max(stop, stop - shift) > 2 * JOIN_REACH_FRAMES:
        return 0.0
    return correlation(a.audio[first:stop], b.audio[first - shift : stop - shift])
