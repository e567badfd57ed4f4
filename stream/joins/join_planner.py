"""The join planner has joins planned by their kinds, beforehand where it can, and brings them to a level."""

import threading
from collections import OrderedDict

from stream.choosing.generation import Chunk
from stream.choosing.step import Step
from stream.doors.door import Door, JoinKind
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinPlan, Leaving
from stream.joins.kinds.registry import FALLBACKS, JOIN_KINDS
from stream.joins.kinds.seam_fade import seam_ahead_frames
from stream.joins.kinds.splice import plan_skip
from stream.joins.kinds.tempo_blend import TEMPO_RAMP_S
from stream.joins.levels import Release
from stream.joins.settings import SoundSettings
from stream.pool.pool import ChunkKey

KEPT_PLANS = 64


class JoinPlanner:
    """Plans joins from the audio and what a pool knows of both songs; the same for the same two chunks.

    `prepare` may be called by another thread beforehand, so that `plan` finds its work done.
    """

    def __init__(self, settings: SoundSettings) -> None:
        self.settings = settings
        ramp_frames = round(TEMPO_RAMP_S * settings.engine_rate_hz)
        self.reach_frames = max(seam_ahead_frames(settings), ramp_frames)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[ChunkKey, ChunkKey, JoinKind, int], JoinPlan] = OrderedDict()

    def prepare(self, step: Step) -> None:
        """Plan the join of a step that will be heard soon; nothing for one that goes on naturally."""
        if step.after is not None and not step.natural:
            self._at_the_cut(step, step.after)

    def prepared(self, step: Step, release: Release) -> JoinPlan | None:
        """Return what `plan` will for a step that was prepared; None for another one. It reads nothing."""
        if step.after is None:
            return None
        with self._lock:
            kept = self._kept.get(_key(step, step.after))
        return None if kept is None else self._levelled(kept, release)

    def plan(self, step: Step, leaving: Leaving) -> JoinPlan:
        """Return the join that leads to the step's chunk (`JoinSource`)."""
        if leaving.at_once is None:
            plan = self._at_the_cut(step, leaving.chunk)
        elif leaving.amid_join:
            plan = plan_skip(self._case(leaving.chunk, step.chunk, None, leaving.at_once), leaving.at_once)
        else:
            plan = self._plan(JoinKind.SPLICE, leaving.chunk, step.chunk, None, leaving.at_once)
        return self._levelled(plan, leaving.release)

    def _levelled(self, plan: JoinPlan, release: Release) -> JoinPlan:
        return plan.levelled(release.db_at(plan.leave_frame), self.settings.engine_rate_hz)

    def _at_the_cut(self, step: Step, before: Chunk) -> JoinPlan:
        key = _key(step, before)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = self._plan(_kind(step, before), before, step.chunk, step.door, None)
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > KEPT_PLANS:
                    self._kept.popitem(last=False)
        return kept

    def _plan(
        self, kind: JoinKind, before: Chunk, chunk: Chunk, door: Door | None, at_once: int | None
    ) -> JoinPlan:
        case = self._case(before, chunk, door, at_once)
        for plan in (JOIN_KINDS[kind].plan, *FALLBACKS):
            planned = plan(case)
            if isinstance(planned, JoinPlan):
                return planned
        raise AssertionError("the last of them always plans")

    def _case(self, before: Chunk, chunk: Chunk, door: Door | None, at_once: int | None) -> JoinCase:
        return JoinCase(
            a=before,
            b=chunk,
            door=door,
            settings=self.settings,
            at_once=at_once,
            ahead_frames=self.reach_frames,
        )


def _kind(step: Step, before: Chunk) -> JoinKind:
    if step.door is not None:
        return step.door.kind
    same = before.song.audio_hash == step.chunk.song.audio_hash
    return JoinKind.SPLICE if same else JoinKind.SHORT_BLEND


def _key(step: Step, before: Chunk) -> tuple[ChunkKey, ChunkKey, JoinKind, int]:
    bars = 0 if step.door is None else step.door.overlap_bars
    return before.key, step.chunk.key, _kind(step, before), bars
