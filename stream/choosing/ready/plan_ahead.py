"""The plan ahead of a stream takes what happened, with its time, and says what is to be done next."""

import logging
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

from model.base.errors import EndlosError
from stream.choosing.bans import Bans, NothingReadableError
from stream.choosing.generation import Chunk
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.step import Step

_log = logging.getLogger(__name__)

REFRESH_S = 2.0
MAX_DEPTH = 16
"""At most this many steps are planned ahead to find one that leaves the song."""
KEPT_S = 3.0
"""What is heard within this time stays planned when the listener steers: time to choose what follows it."""
LEAVE_S = 1.0
"""Who wants to leave the song waits for a step that does so for this long at most."""
PATIENCE_S = 600.0
"""A stream none of whose songs can be read is silent for this long before it ends."""


@dataclass(frozen=True, kw_only=True)
class PlanDepth:
    """How far ahead of what is heard a stream is planned."""

    steps: int
    """So many steps at least."""
    seconds: float = 0.0
    """So much music at least: a blend begins long before its chunk, and what follows is told beforehand."""

    def is_reached(self, ready: Collection[Step]) -> bool:
        """Whether enough is ready: besides, one step leaves the song, unless there are `MAX_DEPTH`."""
        if len(ready) < self.steps or sum(step.length_s for step in ready) < self.seconds:
            return False
        return len(ready) >= MAX_DEPTH or any(step.leaves_song for step in ready)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanWork:
    """What is to be done for a plan, in this order."""

    delivered: tuple[Step, ...]
    """Steps that were taken since the last work, to be counted as played."""
    left_out: frozenset[str]
    """Audio hashes of the songs to choose nothing of."""
    steering: Steering | None
    """What the listener wants from now on; None: as before."""
    anchor: Chunk | None
    """Where to go on from, in place of what was planned; None goes on from the last planned step."""
    look_for_newer: bool
    """Whether it is time to look for a newer pool."""
    leave: bool
    """Whether the next step is to leave what plays, because the listener wants to."""
    deadline_s: float | None
    """When the next step must be ready; None where enough is planned."""
    plan_number: int
    """Of the plan that the next step belongs to."""


class PlanAhead:
    """Keeps steps ready to a depth, one of them leaving the song; whoever calls brings the time, and locks.

    When no step is ready in time, `take` goes on naturally, or anywhere, and the plan starts anew there.
    A song that could not be read is tried again after a while. When none can be, the stream may be silent
    for `PATIENCE_S` before it ends. All times are of one clock, in seconds.
    """

    def __init__(self, first: Step, *, depth: PlanDepth, now_s: float) -> None:
        """first: the step that begins the stream."""
        self._depth = depth
        self._ready: deque[Step] = deque([first])
        self._delivered: list[Step] = []
        self._bans = Bans()
        self._taken_hash: str | None = None
        """Song of the step that was taken last, unless it turned out that it cannot be read."""
        self._silent_since_s: float | None = None
        self._anchor: Chunk | None = None
        self._at: Chunk = first.chunk
        """Where the plan begins."""
        self._steering = NOT_STEERED
        self._told = True
        """Whether the steering has been handed out."""
        self._plan_number = self._begun_number = 0
        """The second: of the first plan since a song was lost, or none was ready."""
        self._next_refresh_s = now_s + REFRESH_S
        self._leave_by_s: float | None = None
        """Until when a step that leaves the song is waited for; None: it is not."""
        self._asked: Step | None = None
        """The step that was planned for it."""
        self._heard_until_s = now_s
        """When the chunk that was taken last ends, if it began to sound when it was taken; at first, now."""

    @property
    def ready(self) -> int:
        """How many steps are planned and not taken."""
        return len(self._ready)

    @property
    def planned_steps(self) -> tuple[Step, ...]:
        """Those, in order."""
        return tuple(self._ready)

    @property
    def has_work(self) -> bool:
        """Whether there is more to do than to look for a newer pool."""
        waits = bool(self._delivered) or self._anchor is not None or not self._told
        return waits or not self._is_enough()

    def idle_s(self, now_s: float) -> float:
        """Return for how long there is nothing to do where there is no work."""
        return max(0.0, self._next_refresh_s - now_s)

    def take(self, after: Chunk | None, now_s: float, *, jump: bool = False) -> Step:
        """Return the planned step after `after`, else a fallback; with `jump` one that leaves the song.

        Raises `NothingReadableError` while every song is left out, `EndlosError` when that took too long.
        """
        if self._taken_hash is not None:
            self._silent_since_s = None
        in_plan = bool(self._ready) and self._ready[0].after is after
        while in_plan and jump and self._ready and not self._leads_away(self._ready[0]):
            self._ready.popleft()
        if in_plan and self._ready:
            step = self._ready.popleft()
        elif after is not None:
            step = self._fallback(after, now_s, jump=jump)
            self._start_anew(step.chunk)
        else:
            raise EndlosError("the stream has begun already")
        if jump or not step.natural:
            # Who wants to leave what plays does so by any join that is taken.
            self._leave_by_s = self._asked = None
        self._delivered.append(step)
        self._at = step.chunk
        self._taken_hash = step.chunk.song.audio_hash
        self._heard_until_s = now_s + step.length_s
        return replace(step, margin_s=now_s - step.ready_at_s)

    def leaves(self, now_s: float) -> bool:
        """Whether `take` with `jump` has a step; else one is planned from what is heard within seconds.

        When that takes too long, the answer is yes: a fallback leaves then.
        """
        if any(map(self._leads_away, self._ready)):
            return True
        if self._leave_by_s is None:
            self._leave_by_s = now_s + LEAVE_S
            self._keep_soon(now_s)
        return now_s >= self._leave_by_s

    def peek(self) -> Step | None:
        """Return the next planned step that leaves the song, else the next one."""
        leaving = (step for step in self._ready if step.leaves_song)
        return next(leaving, self._ready[0] if self._ready else None)

    def ban(self, audio_hash: str, at: Chunk, now_s: float) -> None:
        """Throw the plan away, leave this song out, and go on from `at`."""
        self._bans.add(audio_hash, now_s)
        if audio_hash == self._taken_hash:
            self._taken_hash = None
        self._start_anew(at)

    def steer(self, steering: Steering, now_s: float) -> None:
        """Plan as the listener wants it, but for what is heard so soon that nothing else could be ready.

        It is looked at once for what is new: what was thought of joins counts as well.
        """
        self._steering, self._told = steering, False
        self._next_refresh_s = now_s
        self._keep_soon(now_s)

    def work(self, now_s: float) -> PlanWork:
        """Hand out what is to be done, once."""
        look = now_s >= self._next_refresh_s
        if look:
            self._next_refresh_s = now_s + REFRESH_S
        work = PlanWork(
            delivered=tuple(self._delivered),
            left_out=self._bans.current(now_s),
            steering=None if self._told else self._steering,
            anchor=self._anchor,
            look_for_newer=look,
            leave=self._is_wanted(),
            deadline_s=self._deadline_s(),
            plan_number=self._plan_number,
        )
        self._delivered.clear()
        self._anchor, self._told = None, True
        return work

    def planned(self, step: Step, work: PlanWork) -> None:
        """Keep the step that `work` asked for, unless the plan has been thrown away meanwhile.

        Where a listener, who may steer without pause, did that, a step is kept that is needed soon.
        """
        if work.plan_number == self._plan_number:
            self._ready.append(step)
            self._asked = step if work.leave else self._asked
        elif (
            work.plan_number >= self._begun_number
            and step.after is (self._ready[-1].chunk if self._ready else self._at)
            and self._heard_s(step.ready_at_s) < step.ready_at_s + KEPT_S
        ):
            self._ready.append(step)
            self._anchor = step.chunk

    def renewed(self) -> None:
        """Try every song again: whoever built the newer pool has just read them."""
        self._bans.clear()

    def _is_enough(self) -> bool:
        return self._depth.is_reached(self._ready) and not self._is_wanted()

    def _is_wanted(self) -> bool:
        """Whether a step that leaves the song is waited for and not planned yet."""
        return self._leave_by_s is not None and not any(map(self._leads_away, self._ready))

    def _leads_away(self, step: Step) -> bool:
        """Whether a step leaves the song, or, where there is no other song, was to leave what plays."""
        return step.leaves_song or step is self._asked

    def _deadline_s(self) -> float | None:
        """Return when the next step must be ready; None where enough is planned."""
        if self._is_enough():
            return None
        needed_s = self._heard_until_s + sum(step.length_s for step in self._ready)
        return min(needed_s, self._leave_by_s) if self._leave_by_s is not None else needed_s

    def _keep_soon(self, now_s: float) -> None:
        """Plan anew what is not heard so soon that nothing else could be ready."""
        kept, heard_s = 0, max(self._heard_until_s, now_s)
        while kept < len(self._ready) and heard_s < now_s + KEPT_S:
            heard_s += self._ready[kept].length_s
            kept += 1
        while len(self._ready) > kept:
            self._ready.pop()
        self._plan_number += 1
        self._anchor = self._ready[-1].chunk if self._ready else self._at

    def _start_anew(self, at: Chunk) -> None:
        self._ready.clear()
        self._plan_number += 1
        self._begun_number = self._plan_number
        self._anchor = self._at = at

    def _heard_s(self, now_s: float) -> float:
        """Return when all that is ready has been heard; a stream that stands still goes on now."""
        return max(self._heard_until_s, now_s) + sum(step.length_s for step in self._ready)

    def _fallback(self, after: Chunk, now_s: float, *, jump: bool) -> Step:
        generation = after.generation
        natural = int(generation.index.successor[after.row])
        songs = len(generation.pool.songs)
        # From the song itself, else the next one that can be read, from its beginning.
        order = [(after.song_index + further) % songs for further in range(songs)]
        banned, muted = (
            {generation.song_of(name) for name in names}
            for names in (self._bans.current(now_s), self._steering.muted)
        )
        readable = [song for song in order if song not in banned]
        if not readable:
            raise self._nothing_readable(now_s)
        if natural >= 0 and readable[0] == after.song_index and not jump:
            row, rung = natural, "natural"
        else:
            others = [song for song in readable if song != after.song_index] or readable
            others = [song for song in others if song not in muted] or others
            row, rung = generation.song_rows(others[0]).start, "any"
        return Step(
            after=after,
            chunk=generation.chunk(row),
            natural=row == natural,
            rung=rung,
            candidates=len(generation.index),
            considered=1,
            reasons=("no decision was ready in time",),
            ready_at_s=now_s,
        )

    def _nothing_readable(self, now_s: float) -> EndlosError:
        """Return what to raise: at first that the stream is silent, in the end that it is over."""
        if self._silent_since_s is None:
            self._silent_since_s = now_s
            _log.warning(
                "none of the songs can be read; the stream is silent and tries them again for %g minutes",
                PATIENCE_S / 60,
            )
        if now_s - self._silent_since_s < PATIENCE_S:
            return NothingReadableError(
                "none of the songs can be read at this moment; put them back, or build the pool again"
            )
        return EndlosError("none of the songs can be read any more; build the pool again")
