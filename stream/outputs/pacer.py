"""The pacer pulls the engine and offers the same frames to every output, at the right speed."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from model.base.arrays import FloatArray
from stream.outputs.guarded import GuardedOutputs
from stream.outputs.lateness import Lateness
from stream.outputs.leader_watch import LeaderSeen, LeaderWatch
from stream.outputs.output import Leader, Output
from stream.outputs.schedule import Schedule
from stream.outputs.standstill import Stops

_log = logging.getLogger(__name__)

MIN_WAIT_S = 0.002
MAX_WAIT_S = 0.02
"""A leader is looked at this often."""
MAX_WAIT_ALONE_S = 1.0
"""Without a leader there is nothing to see but the clock; skips, pauses and the end wake the pacer."""
LEADER_BLOCK_FRAMES = 1024
ALONE_BLOCK_FRAMES = 32_768
"""Encoders take what there is in pieces of about this length; each block less is a thread less to wake."""
GIVE_UP_LATENESS_S = 60.0
LEADER_SLACK_S = 0.25
"""How far a leader that has played before may fall behind the wall clock before others are given more."""
LEADER_REFILL_S = 0.1
"""How much more than a leader holds the others may be given in advance."""
START_LEAD_S = 2.6
"""What may be pulled at once at the start where nothing paces but the wall clock, up to the next block (3 s):
who comes first then gets about as much in advance as who comes later. A block more is still less than any
output's ring, and than what an output takes for being behind."""
MAX_SKIPS_WAITING = 8
STOP_TIMEOUT_S = 2.0

Clock = Literal["leader", "wall", "paused", "stopped"]


@dataclass(frozen=True, kw_only=True)
class PacerStatus:
    """How pacing goes; counters only ever grow."""

    clock: Clock
    """Who sets the speed now."""
    blocks: int
    frames: int
    """Pulled from the engine."""
    late_blocks: int
    """Blocks that came more than 50 ms after they were due."""
    max_lateness_s: float
    clock_resets: int
    """How often the stream was a minute behind the wall clock and went on from there."""
    leader_losses: int
    stops: int
    """How often this process stood still for half a second or more: stopped, or on a machine that was."""
    stopped_s: float
    """For how long in all: so long every output was without the stream."""
    stopped_lately_s: float
    """The same within the last minute."""
    failed_outputs: int
    """Outputs that raised an exception and get nothing any more."""


class Pacer:
    """Pulls `render` and hands each block to all outputs, which it starts and closes.

    The leader, a sound card, sets the speed: a block is pulled as soon as there is room for it. Without one,
    or while it is gone or stands still, the wall clock does; a leader that comes back goes on with what is
    pulled then, and the others get in time what it stood still. Outputs whose listeners have a clock of
    their own make up for the leader's by themselves (`stream.outputs.drift`). In a pause the engine stands
    still and the leader is silent; the others are
    offered nothing and make silence of their own, so that no server drops them.
    """

    def __init__(
        self,
        render: Callable[[int], FloatArray],
        outputs: Sequence[Output],
        engine_rate_hz: int,
        *,
        leader: Leader | None = None,
        block_frames: int | None = None,
        lead_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Make one that stands still.

        render: returns the next frames, `(frames, 2)` float32. outputs: all of them, `leader` among them or
        not. block_frames: what is pulled at once; None: `LEADER_BLOCK_FRAMES` where there is a leader, else
        `ALONE_BLOCK_FRAMES`. lead_s: how much more the wall clock is given than it asks for, from the
        start, without a leader. clock, wait: seconds, for a simulated wall clock.
        """
        if block_frames is None:
            block_frames = LEADER_BLOCK_FRAMES if leader is not None else ALONE_BLOCK_FRAMES
        if block_frames < 1:
            raise ValueError(f"a block of {block_frames} frames, expected at least 1")
        self._render = render
        self._leader = leader
        others = [output for output in outputs if output is not leader]
        self._others = bool(others)
        self._outputs = GuardedOutputs(others if leader is None else [leader, *others])
        self._rate_hz = engine_rate_hz
        self._block_frames = block_frames
        self._max_wait_s = MAX_WAIT_S if leader is not None else MAX_WAIT_ALONE_S
        self._clock_s = clock
        self._wait_s = wait or self._wait_for_wake

        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._finished = threading.Event()
        self._stopping = False
        self._paused = False
        self._skips: deque[Callable[[], object]] = deque(maxlen=MAX_SKIPS_WAITING)
        self._error: Exception | None = None

        # Written by the pacer's thread, read by any.
        self._clock: Clock = "stopped"
        self._lateness = Lateness(clock)
        self._stops = Stops(clock)
        self._clock_resets = 0
        self._leader_losses = 0
        self._rested_s: float | None = None

        # The pacer's thread only.
        lead_frames = round(lead_s * engine_rate_hz) if leader is None else 0
        self._schedule = Schedule(engine_rate_hz, block_frames, clock(), lead_frames=lead_frames)
        self._watch = None if leader is None else LeaderWatch(leader, self._outputs, block_frames, clock())
        self._titles: list[tuple[str, int]] = []

    # Any thread.

    def start(self) -> None:
        """Start every output, then pull; `OutputError` when one cannot start: the others are closed again."""
        self._outputs.start()
        now_s = self._clock_s()
        self._schedule.begin(now_s)
        if self._watch is not None:
            self._watch.begin(now_s)
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self._thread.start()
        watching = partial(self._stops.watch, self._finished.wait)
        threading.Thread(target=watching, name="standstills", daemon=True).start()

    def stop(self) -> None:
        """Fade every output out and close it; what `render` raised is left in `error`."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                _log.warning("the engine has not answered for %.0f s; closing without it", STOP_TIMEOUT_S)
        self._outputs.close()

    def skip(self, skip_engine: Callable[[], object]) -> None:
        """Make the stream jump: call `skip_engine`, then have every output drop what is not yet heard."""
        self._skips.append(skip_engine)
        self._wake.set()

    def pause(self, paused: bool) -> None:
        """Stand still, faded, or go on from there."""
        self._paused = paused
        if self._leader is not None:
            self._outputs.ask(self._leader, self._leader.pause, paused)
        self._wake.set()

    def set_volume(self, volume_db: float) -> None:
        """Turn the leader down, where there is one."""
        leader = self._leader
        if leader is not None:
            self._outputs.ask(leader, setattr, leader, "volume_db", volume_db)

    @property
    def paused(self) -> bool:
        """Whether the stream stands still."""
        return self._paused

    def since_pause_s(self) -> float | None:
        """Return how long ago the stream stood still on purpose: 0 in a pause, None before the first."""
        if self._paused:
            return 0.0
        return None if self._rested_s is None else self._clock_s() - self._rested_s

    @property
    def error(self) -> Exception | None:
        """What `render` has raised; then all is over and every output is closed."""
        return self._error

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return True when all is over, False after `timeout_s`; raises what `render` has raised."""
        finished = self._finished.is_set() or (timeout_s != 0.0 and self._finished.wait(timeout_s))
        if self._error is not None:
            raise self._error
        return finished

    def status(self) -> PacerStatus:
        """Return a snapshot."""
        return PacerStatus(
            clock=self._clock,
            blocks=self._schedule.blocks,
            frames=self._schedule.frames,
            late_blocks=self._lateness.late_blocks,
            max_lateness_s=self._lateness.most_s,
            clock_resets=self._clock_resets,
            leader_losses=self._leader_losses,
            stops=self._stops.count,
            stopped_s=self._stops.total_s,
            stopped_lately_s=self._stops.lately_s(),
            failed_outputs=self._outputs.failed,
        )

    # The pacer's thread.

    def step(self) -> None:
        """Pull one block if it is time, else wait a little; `start` calls it again and again."""
        self._do_skips()
        if self._paused or (self._watch is not None and self._watch.rests()):
            self._rest()
            return
        watch = self._watch
        if watch is not None and (seen := watch.look(self._clock_s())) is not None:
            self._follow_leader(watch, seen)
            return
        self._leader_losses += self._clock == "leader"
        self._follow_wall()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self.step()
        except Exception as error:  # of the engine: it belongs to whoever waits
            self._error = error
            _log.error("the engine has failed: %s", error)
        finally:
            self._clock = "stopped"
            self._outputs.close()
            self._finished.set()

    def _do_skips(self) -> None:
        while self._skips:
            if self._watch is not None:
                self._watch.refills = False
            self._skips.popleft()()
            for output in self._outputs:
                self._outputs.ask(output, output.skip)

    def _follow_leader(self, watch: LeaderWatch, seen: LeaderSeen) -> None:
        """Pull a block where the leader takes it, or where the others would wait for too long."""
        self._clock = "leader"
        now_s = self._clock_s()
        missing_frames = self._block_frames - seen.space_frames
        ahead_s = self._schedule.due_s() - now_s if self._others else 0.0
        if missing_frames > 0:
            if not watch.has_played or ahead_s >= -LEADER_SLACK_S:
                self._wait(missing_frames / self._rate_hz)
                return
            # It opens again, or stalls.
            watch.pass_by()
            self._offer(self._pull())
            return
        buffered_s = seen.status.buffered_s
        if watch.refills and ahead_s > seen.space_frames / self._rate_hz + buffered_s + LEADER_REFILL_S:
            # The others would get more than they can keep.
            self._wait(self._block_frames / self._rate_hz)
            return
        self._schedule.follow(now_s + buffered_s, now_s, by_clock_only=watch.has_played)
        watch.has_played = watch.has_played or seen.status.state == "playing"
        block = self._pull()
        if seen.status.state == "playing":
            took_s = self._clock_s() - now_s
            self._lateness.note(took_s - buffered_s, f"the engine took {took_s:.2f} s for a block")
        self._offer(block)

    def _follow_wall(self) -> None:
        """Pull a block when it is due; a leader that is gone is offered it, and counts what it misses."""
        self._clock = "wall"
        now_s = self._clock_s()
        due_s = self._schedule.due_s()
        if due_s > now_s:
            self._wait(due_s - now_s)
            return
        if now_s - due_s > GIVE_UP_LATENESS_S:
            self._clock_resets += 1
            self._schedule.give_up(now_s - due_s)
            _log.warning("the stream was %.0f s behind; it goes on from here", now_s - due_s)
            due_s = now_s
        leads = self._schedule.leads
        block = self._pull()
        after_s = self._clock_s()
        if leads:
            # Nobody waits for it, and the clock runs from when it is there.
            self._schedule.begin(after_s)
        else:
            took_s = after_s - now_s
            cause = f"the engine took {took_s:.2f} s for a block"
            if due_s + took_s < now_s:
                cause = f"nothing was done for {now_s - due_s:.2f} s"
            self._lateness.note(after_s - due_s, cause)
        self._offer(block)

    def _rest(self) -> None:
        """Stand still for a moment; outputs that are offered nothing fade into silence by themselves."""
        self._clock = "paused"
        self._wait(self._max_wait_s)
        self._rested_s = self._clock_s()
        self._schedule.stand(self._rested_s)
        if self._watch is not None:
            self._watch.begin(self._rested_s)

    def _pull(self) -> FloatArray:
        block = self._render(self._block_frames)
        self._schedule.count()
        return block

    def entitle(self, title: str, after_frames: int) -> None:
        """Have every output told a title, before it is offered the frames that bear it.

        For `render` to call, in order: the title of what it returns, but for the first `after_frames`.
        """
        self._titles.append((title, after_frames))

    def _offer(self, block: FloatArray) -> None:
        titles, self._titles = self._titles, []
        for title, after_frames in titles:
            for output in self._outputs:
                self._outputs.ask(output, output.entitle, title, after_frames)
        for output in self._outputs:
            self._outputs.ask(output, output.offer, block)

    def _wait(self, wanted_s: float) -> None:
        self._wait_s(min(max(wanted_s, MIN_WAIT_S), self._max_wait_s))

    def _wait_for_wake(self, timeout_s: float) -> None:
        self._wake.wait(timeout_s)
        self._wake.clear()
