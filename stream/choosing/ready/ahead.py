"""A thread keeps steps planned ahead, so that the renderer never waits for a score."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

from model.base.errors import DecodeError
from stream.choosing.bans import NothingReadableError
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import PlannerMemory
from stream.choosing.journey.steering import Steering
from stream.choosing.planner import Planner
from stream.choosing.ready.plan_ahead import PlanAhead, PlanDepth
from stream.choosing.step import Step

_log = logging.getLogger(__name__)

READ_AHEAD_FRAMES = 65_536
"""About a second and a half on either side of where a planned chunk begins."""
RETRY_S = 1.0
FIRST_DECISION_S = 0.25
"""A chunk may be left a second after it begins: what follows the first is waited for, no longer than this."""


class Ahead:
    """Does the work of a `PlanAhead` in a thread of its own, which alone uses the planner from then on.

    `prepare` is called by that thread before it plans: the stream sounds already while models warm up.
    `refresh` is asked now and then for a newer generation to go on in; None when there is none.
    `rehearse` is given each planned step, to do for the renderer what can be done beforehand.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        depth: PlanDepth,
        prepare: Callable[[], None] = lambda: None,
        refresh: Callable[[], Generation | None] = lambda: None,
        rehearse: Callable[[Step], None] = lambda step: None,
        remember: Callable[[PlannerMemory], None] | None = None,
    ) -> None:
        """depth: of the plan that is kept ready. remember: is told what the planner knows after each."""
        self._planner = planner
        self._prepare: Callable[[], None] | None = prepare
        self._refresh = refresh
        self._rehearse = rehearse
        self._remember = remember
        self._changed = threading.Condition()
        self._plan = PlanAhead(self._next(None), depth=depth, now_s=time.monotonic())
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._plan.ready > 1, timeout=FIRST_DECISION_S)

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Return the planned step after `after`, else at once a fallback."""
        with self._changed:
            step = self._plan.take(after, time.monotonic(), jump=jump)
            self._changed.notify()
            return step

    def leaves(self) -> bool:
        """Whether a step that leaves the song is ready; else the thread plans one now. Any thread."""
        with self._changed:
            ready = self._plan.leaves(time.monotonic())
            self._changed.notify()
            return ready

    def peek(self) -> Step | None:
        """Return the next planned step that leaves the song, else the next one."""
        with self._changed:
            return self._plan.peek()

    def planned(self) -> Sequence[Step]:
        """Return the steps that are planned and not taken yet, in order."""
        with self._changed:
            return self._plan.planned_steps

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Throw the plan away and plan no more steps into this song."""
        with self._changed:
            self._plan.ban(audio_hash, at, time.monotonic())
            self._changed.notify()

    def steer(self, steering: Steering) -> None:
        """Plan anew what is not heard at once. Any thread."""
        with self._changed:
            self._plan.steer(steering, time.monotonic())
            self._changed.notify()

    def close(self) -> None:
        """End the thread; a score under way is waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        failing = False
        while not self._closed:
            try:
                if self._prepare is not None:
                    first, self._prepare = self._prepare, None
                    first()
                self._work()
                failing = False
            except NothingReadableError:
                self._pause()
            except Exception:
                # The stream goes on by fallbacks meanwhile; the cause must be seen, once.
                if not failing:
                    _log.exception("planning failed; it is tried again every %g s", RETRY_S)
                failing = True
                self._pause()

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout=RETRY_S)

    def _work(self) -> None:
        """Wait until there is something to do, and do it."""
        with self._changed:
            idle_s = self._plan.idle_s(time.monotonic())
            self._changed.wait_for(lambda: self._closed or self._plan.has_work, timeout=idle_s)
            if self._closed:
                return
            work = self._plan.work(time.monotonic())
        for step in work.delivered:
            self._planner.deliver(step)
        self._planner.leave_out(work.left_out)
        if work.anchor is not None:
            self._planner.anchor(work.anchor)
            self._keep()
        if work.steering is not None:
            self._planner.steer(work.steering)
        newer = self._refresh() if work.look_for_newer else None
        if newer is not None:
            self._planner.generation.retire()
            self._planner.adopt(newer)
            with self._changed:
                self._plan.renewed()
        if work.deadline_s is None:
            return
        step = self._next(work.deadline_s, leave=work.leave)
        with self._changed:
            self._plan.planned(step, work)
            self._changed.notify_all()
        _read_ahead(step)
        self._rehearse(step)

    def _next(self, deadline_s: float | None, *, leave: bool = False) -> Step:
        step = self._planner.next(leave=leave, deadline_s=deadline_s)
        self._keep()
        return step

    def _keep(self) -> None:
        if self._remember is not None:
            self._remember(self._planner.memory())


def _read_ahead(step: Step) -> None:
    """Read where the renderer will come in, so that a slow disk is waited for here and not there."""
    if step.natural:
        return
    reader = step.chunk.generation.reader
    start, _ = reader.chunk_span(step.chunk.row)
    # A file that cannot be read is found, named and left by the renderer.
    with contextlib.suppress(DecodeError):
        reader.check(step.chunk.row)
        reader.read(step.chunk.song_index, start - READ_AHEAD_FRAMES, start + READ_AHEAD_FRAMES)
