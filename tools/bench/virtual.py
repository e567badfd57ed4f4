"""Virtual time charges a planner's thread and a sound card's ring with what their work really took.

So an hour of stream is simulated as fast as it can be computed, and margins mean what they mean live, on a
machine that has a core for each of both threads.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stream.choosing.generation import Chunk
from stream.choosing.journey.steering import Steering
from stream.choosing.planner import Planner
from stream.choosing.ready.plan_ahead import PlanDepth
from stream.choosing.step import Step


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A step, when it was ready and when it was needed, in virtual seconds."""

    step: Step
    ready_s: float
    needed_s: float
    took_s: float
    """Wall time that the decision was charged."""

    @property
    def margin_s(self) -> float:
        """How long it lay ready; below zero it was late."""
        return self.needed_s - self.ready_s


@dataclass(frozen=True, kw_only=True)
class _Planned:
    step: Step
    ready_s: float
    took_s: float


class VirtualPlanner:
    """Plans as `stream.choosing.ready.ahead.Ahead` does: enough steps ahead, one of them leaving the song.

    The one difference: a late step is waited for, where the stream would go on without it.
    """

    def __init__(
        self,
        plan: Callable[[float | None], Step],
        deliver: Callable[[Step], None],
        *,
        depth: PlanDepth,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Plan the first step, before the stream begins at virtual time 0.

        plan: makes the next step, given the time that is left for it (None: no hurry). deliver: told of each
        step that is taken. clock: seconds, by which `plan` is charged.
        """
        self._plan = plan
        self._deliver = deliver
        self._depth = depth
        self._clock = clock
        self._ready: deque[_Planned] = deque([_Planned(step=plan(None), ready_s=0.0, took_s=0.0)])
        self._free_s = 0.0
        """When its thread can begin the next decision."""
        self._heard_until_s = 0.0
        self.spent_s = 0.0
        """Real time that went into planning."""

    def take(self, now_s: float) -> Taken:
        """Return the next step, needed at `now_s`; times only grow."""
        self._plan_until(now_s)
        first = self._ready.popleft()
        self._deliver(first.step)
        # As in `Ahead`, the chunk is thought to begin to sound when it is taken.
        self._heard_until_s = now_s + first.step.length_s
        # What idled until now begins again; what is at work is free later than this anyway.
        self._free_s = max(self._free_s, now_s)
        return Taken(step=first.step, ready_s=first.ready_s, needed_s=now_s, took_s=first.took_s)

    def _plan_until(self, now_s: float) -> None:
        """Do what the thread begins before `now_s`, and at least what is needed then."""
        while not self._is_enough() and (self._free_s < now_s or not self._ready):
            deadline_s = self._heard_until_s + sum(planned.step.length_s for planned in self._ready)
            began_s = self._clock()
            step = self._plan(deadline_s - self._free_s)
            took_s = self._clock() - began_s
            self.spent_s += took_s
            self._free_s += took_s
            self._ready.append(_Planned(step=step, ready_s=self._free_s, took_s=took_s))

    def _is_enough(self) -> bool:
        return self._depth.is_reached([planned.step for planned in self._ready])


@dataclass(kw_only=True)
class VirtualCard:
    """A ring that a sound card empties, and the thread that fills it block by block."""

    rate_hz: int
    ring_frames: int
    prefill_frames: int
    now_s: float = 0.0
    """When the thread that fills it is free."""
    underrun_frames: int = 0
    _written_frames: int = 0
    _began_s: float | None = field(default=None)
    """When frame 0 was heard, moved on by every underrun."""

    def wait_for_room(self, frames: int) -> None:
        """Let time pass until a block fits."""
        if self._began_s is not None:
            must_be_heard = self._written_frames + frames - self.ring_frames
            self.now_s = max(self.now_s, self._began_s + must_be_heard / self.rate_hz)

    def write(self, frames: int, took_s: float) -> None:
        """Add a block that took `took_s` to make; what was missing meanwhile is an underrun."""
        self.now_s += took_s
        if self._began_s is not None:
            heard = (self.now_s - self._began_s) * self.rate_hz
            short = heard - self._written_frames
            if short > 0:
                self.underrun_frames += round(short)
                self._began_s += short / self.rate_hz
        self._written_frames += frames
        if self._began_s is None and self._written_frames >= self.prefill_frames:
            self._began_s = self.now_s


class VirtualSteps:
    """The steps of a virtual planner as a renderer takes them (`stream.choosing.ready.step_source`)."""

    def __init__(
        self,
        planner: Planner,
        *,
        depth: PlanDepth,
        now_s: Callable[[], float],
        each: Callable[[Taken], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """now_s: virtual time of the renderer's thread. each: told of every step that is taken.

        clock: seconds, by which decisions are charged.
        """

        def plan(left_s: float | None) -> Step:
            return planner.next(deadline_s=None if left_s is None else time.monotonic() + left_s)

        self.planner = VirtualPlanner(plan, planner.deliver, depth=depth, clock=clock)
        self._ban = planner.ban
        self._now_s = now_s
        self._each = each

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Return the next step."""
        taken = self.planner.take(self._now_s())
        self._each(taken)
        return taken.step

    def leaves(self) -> bool:
        """Nobody asks."""
        return True

    def peek(self) -> Step | None:
        """Nobody asks."""
        return None

    def planned(self) -> Sequence[Step]:
        """Nobody asks."""
        return ()

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Plan no more steps into this song."""
        self._ban(audio_hash)

    def steer(self, steering: Steering) -> None:
        """Nobody steers."""

    def close(self) -> None:
        """Nothing to end."""
