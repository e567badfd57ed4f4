"""The join planner finds where A is left, where B is entered, and how both fade."""

import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from model.base.errors import DecodeError
from stream.choosing.generation import Chunk
from stream.choosing.step import Step
from stream.joins.align import find_shift
from stream.joins.beat_fit import beat_fit
from stream.joins.crossfade import correlation
from stream.joins.fades import BLEND_HALF_S, PLACES_S, SPLICE_HALVES_S, Limits, choose_fade
from stream.joins.join_plan import JoinPlan
from stream.joins.levels import Release, loudness_lufs, song_gain
from stream.joins.settings import SoundSettings
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, Seam, analyse
from stream.pool.pool import ChunkKey

JOIN_REACH_FRAMES = 432 * SURROUNDINGS_HOP_FRAMES
"""The planner looks at this much of both songs on either side of the seam."""
LONGEST_SHIFT_S = 0.3
FREE_SHIFT_S = 0.075
"""Without beats B is moved by no more."""
_LEVEL_S = 0.7
"""Levels are matched over this much before A's cut and after B's start, of a blend before and after it."""
LARGEST_CUT_DB, LARGEST_BOOST_DB = 12.0, 6.0
"""B is made softer by more than louder: after a soft end it fades in, while a boosted intro would be too loud
where it comes to itself."""
LEAST_MATCH_DB = 0.1
RELEASE_DB_PER_S = 0.5
JUMP_LEAD_S = 0.030
"""A join that begins at once has its seam this much later."""
JUMP_WAIT_S = 0.03
"""It waits for a beat no longer than this."""
JUMP_FADE_S = 0.1
KEPT_PLANS = 64


class JoinPlanner:
    """Plans joins from the audio and the traits of both chunks; the same for the same two chunks.

    `prepare` may be called by another thread beforehand, so that `plan` finds its work done.
    """

    def __init__(self, settings: SoundSettings) -> None:
        self.settings = settings
        half_s = min(settings.fade_s, BLEND_HALF_S)
        self.reach_frames = round((LONGEST_SHIFT_S + PLACES_S + half_s) * settings.engine_rate_hz)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[ChunkKey, ChunkKey], JoinPlan] = OrderedDict()

    def prepare(self, step: Step) -> None:
        """Plan the join of a step that will be heard soon; nothing for one that goes on naturally."""
        if step.after is not None and not step.natural:
            self._at_the_cut(step.after, step.chunk)

    def prepared(self, step: Step, release: Release) -> JoinPlan | None:
        """Return what `plan` will for a step that was prepared; None for another one. It reads nothing."""
        if step.after is None:
            return None
        with self._lock:
            kept = self._kept.get((step.after.key, step.chunk.key))
        return None if kept is None else self._levelled(kept, release)

    def plan(self, step: Step, before: Chunk, release: Release, jump_frame: int | None) -> JoinPlan:
        """Return the join from `before` into the step's chunk (`JoinSource`)."""
        if jump_frame is None:
            plan = self._at_the_cut(before, step.chunk)
        else:
            plan = self._plan(before, step.chunk, jump_frame)
        return self._levelled(plan, release)

    def _levelled(self, plan: JoinPlan, release: Release) -> JoinPlan:
        residual_db = release.db_at(plan.leave_frame)
        difference_db = plan.terms["level_difference_db"] or 0.0
        return _matched(plan, difference_db + residual_db, self.settings.engine_rate_hz)

    def _at_the_cut(self, before: Chunk, chunk: Chunk) -> JoinPlan:
        key = (before.key, chunk.key)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = self._plan(before, chunk, None)
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > KEPT_PLANS:
                    self._kept.popitem(last=False)
        return kept

    def _plan(self, before: Chunk, chunk: Chunk, jump_frame: int | None) -> JoinPlan:
        rate_hz = self.settings.engine_rate_hz
        a_start, a_stop = before.generation.reader.chunk_span(before.row)
        b_start, b_stop = chunk.generation.reader.chunk_span(chunk.row)
        cut = a_stop if jump_frame is None else jump_frame + round(JUMP_LEAD_S * rate_hz)
        a, b = self._around(before, cut), self._around(chunk, b_start)
        fit = beat_fit(before, chunk, cut_after_end_s=(cut - a_stop) / rate_hz)
        grid_s = None if fit is None else fit.shift_s
        if fit is not None and grid_s is not None and jump_frame is not None:
            # Not back, and not far ahead: the listener waits.
            grid_s = grid_s % fit.period_s
            grid_s = grid_s if grid_s <= JUMP_WAIT_S else None
        longest_s = FREE_SHIFT_S if grid_s is None else LONGEST_SHIFT_S
        longest_frames = round(self.settings.fade_s * rate_hz)
        if jump_frame is not None:
            longest_s = JUMP_WAIT_S
            longest_frames = min(longest_frames, round(JUMP_FADE_S * rate_hz))
        shift = find_shift(a, b, rate_hz, grid_s=grid_s, longest_s=longest_s)
        # Whoever asked for another song waits for it.
        blended = before.song.audio_hash != chunk.song.audio_hash and jump_frame is None
        # Of a blend only its place is chosen.
        blend_s = min(BLEND_HALF_S, longest_frames // 2 / rate_hz)
        difference_db = _level_difference_db(a, b, blend_s if blended else 0.0, rate_hz)
        limits = Limits(
            longest_frames=longest_frames,
            before_cut_frames=min(self.reach_frames, (a_stop - a_start) // 2),
            after_start_frames=(b_stop - b_start) // 2,
            earliest_frames=None if jump_frame is None else jump_frame - cut,
        )
        halves_s = (blend_s,) if blended else SPLICE_HALVES_S
        fade = choose_fade(a, b, shift.frames, _match_db(difference_db), limits, rate_hz, halves_s)
        plan = JoinPlan(
            leave_frame=cut + fade.middle_frames,
            enter_frame=b_start + fade.middle_frames - shift.frames,
            before_frames=fade.before_frames,
            after_frames=fade.after_frames,
            correlation=_correlation(
                a, b, fade.middle_frames, shift.frames, fade.before_frames, fade.after_frames
            ),
            match_db=0.0,
            release_frames=0,
            shift_frames=shift.frames,
            terms={
                "level_difference_db": difference_db,
                "grid_ms": shift.grid_ms,
                "onset_ms": shift.onset_ms,
                "onset_correlation": shift.onset_correlation,
                "sample_ms": shift.sample_ms,
                "sample_correlation": shift.sample_correlation,
                "tempo_ratio": None if fit is None else fit.tempo_ratio,
                "beat_error_ms": None if fit is None else 1e3 * fit.error_s(shift.frames / rate_hz),
                "bar_offset_beats": None if fit is None else fit.bar_offset_beats(shift.frames / rate_hz),
                **{f"{name}_cost_db": cost for name, cost in fade.costs_db.items()},
            },
        )
        return _matched(plan, difference_db, rate_hz)

    def _around(self, chunk: Chunk, frame: int) -> Seam:
        """Analyse a chunk's song at its gain around a frame; silence where it cannot be read."""
        start, stop = frame - JOIN_REACH_FRAMES, frame + JOIN_REACH_FRAMES
        try:
            audio = chunk.generation.reader.read(chunk.song_index, start, stop)
        except DecodeError:
            # The renderer reads it again, and tells.
            audio = np.zeros((stop - start, 2), dtype=np.float32)
        gain = song_gain(chunk.song, self.settings.target_lufs)
        return analyse(audio * gain, self.settings.engine_rate_hz)


def _matched(plan: JoinPlan, difference_db: float, rate_hz: int) -> JoinPlan:
    """Return the plan with B brought towards A's level."""
    match_db = _match_db(difference_db)
    if abs(match_db) < LEAST_MATCH_DB:
        match_db = 0.0
    return replace(plan, match_db=match_db, release_frames=round(abs(match_db) / RELEASE_DB_PER_S * rate_hz))


def _match_db(difference_db: float) -> float:
    return float(np.clip(difference_db, -LARGEST_CUT_DB, LARGEST_BOOST_DB))


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
