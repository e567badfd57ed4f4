"""The past holds the latest joins of a stream as numbers, to be told, judged and heard again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream.choosing.generation import Chunk
from stream.choosing.step import Step
from stream.engine.decisions import Decision
from stream.joins.join_plan import JoinPlan
from stream.joins.join_planner import JoinPlanner
from stream.joins.levels import Release
from stream.pool.feedback import REACH_S, HeardJoin
from stream.pool.pool import ChunkKey
from stream.pool.songs import Song

MOST_PAST_JOINS = 200


@dataclass(frozen=True, kw_only=True)
class JoinRecord:
    """One join, past or to come; numbers and songs, it holds no generation of the pool open."""

    n: int
    """Of its decision; grows."""
    time_s: float | None
    """Stream time of its middle; None: to come, and not placed yet."""
    in_s: float | None
    """How long until it is heard, of one to come, as far as that is known."""
    heard: HeardJoin
    before: Song
    after: Song
    left_s: float
    """Where in its song `before` is left."""
    entered_s: float
    """Where in its song `after` is entered."""
    score: float | None
    rank: int | None
    candidates: int
    considered: int
    rung: str
    reasons: tuple[str, ...]
    terms: Mapping[str, float]
    """What spoke for and against it, by name, in log-odds."""
    fade_s: float
    label: int | None
    """1 liked, 0 disliked, None: not judged."""
    chunk_from: int
    chunk_to: int
    """Rows in the current order of the pool; -1 where the pool does not hold the chunk any more."""


@dataclass(frozen=True, kw_only=True)
class PlacedJoin:
    """A join with all that it takes to hear it again; frames are the engine's."""

    record: JoinRecord
    """Its label and chunks are those of the time at which it was made."""
    plan: JoinPlan
    middle_frames: int
    """Stream time of its middle."""
    release: Release
    """What was left of the gain that `before` was entered with."""
    leaves: ChunkKey
    enters: ChunkKey


@dataclass(frozen=True, kw_only=True)
class _Entered:
    """How the song that plays was entered."""

    origin_frames: int
    """Stream time of its first frame, as if it had played from there."""
    release: Release


class Past:
    """Passes every decision on, and keeps the latest joins; told by the thread that renders, read by any."""

    def __init__(self, on_decision: Callable[[Decision], None] | None) -> None:
        self._on_decision = on_decision
        # Of what plays: exchanged as a whole.
        self._entered = _Entered(origin_frames=0, release=Release())
        self.decisions = 0
        """How many there were, which is the number of the next one."""
        self.join: HeardJoin | None = None
        """The last join; None before the first."""
        self.entered_frames = 0
        """Stream time, in engine frames, from which what was decided last is what plays."""
        self.joins: tuple[PlacedJoin, ...] = ()
        """At most `MOST_PAST_JOINS`, newest last; exchanged as a whole."""

    def __call__(self, decision: Decision) -> None:
        """Take up one decision."""
        rate_hz, plan = decision.settings.engine_rate_hz, decision.plan
        self.entered_frames = decision.t_out_frames
        self.decisions = decision.n + 1
        if decision.before is not None and plan is not None:
            placed = self._placed(
                decision.n,
                decision.step,
                decision.before,
                plan,
                rate_hz,
                jumped=decision.jump_frames is not None,
            )
            self.join = placed.record.heard
            origin_frames = decision.t_out_frames - plan.enter_frame
            self._entered = _Entered(origin_frames=origin_frames, release=plan.release)
            self.joins = (*self.joins[1 - MOST_PAST_JOINS :], placed)
        elif decision.before is None:
            origin_frames = decision.t_out_frames - round(decision.entered_at_s * rate_hz)
            self._entered = _Entered(origin_frames=origin_frames, release=Release())
        if self._on_decision is not None:
            self._on_decision(decision)

    def coming(self, n: int, step: Step, joins: JoinPlanner) -> PlacedJoin | None:
        """Return the join of a step that follows the song that plays; None where it is not prepared yet."""
        plan = joins.prepared(step, self._entered.release)
        if plan is None or step.after is None:
            return None
        return self._placed(n, step, step.after, plan, joins.settings.engine_rate_hz, jumped=False)

    def _placed(
        self, n: int, step: Step, before: Chunk, plan: JoinPlan, rate_hz: int, *, jumped: bool
    ) -> PlacedJoin:
        entered, after = self._entered, step.chunk
        middle_frames = entered.origin_frames + plan.begin_frame + plan.before_frames
        left_s = plan.leave_frame / rate_hz
        # At its cut, whatever the join was shifted by and however long; after `next`, where it was left.
        end_sample = before.key.end_sample
        if jumped and abs(left_s - before.end_s) > REACH_S:
            end_sample = round(left_s * before.song.sample_rate_hz)
        record = JoinRecord(
            n=n,
            time_s=middle_frames / rate_hz,
            in_s=None,
            heard=HeardJoin(
                from_hash=before.song.audio_hash,
                from_end_sample=end_sample,
                to_hash=after.song.audio_hash,
                to_start_sample=after.key.start_sample,
            ),
            before=before.song,
            after=after.song,
            left_s=left_s,
            entered_s=plan.enter_frame / rate_hz,
            score=step.score,
            rank=step.rank,
            candidates=step.candidates,
            considered=step.considered,
            rung=step.rung,
            reasons=step.reasons,
            terms=dict(step.terms),
            fade_s=plan.fade_frames / rate_hz,
            label=None,
            chunk_from=before.row,
            chunk_to=after.row,
        )
        return PlacedJoin(
            record=record,
            plan=plan,
            middle_frames=middle_frames,
            release=entered.release,
            leaves=before.key,
            enters=after.key,
        )
