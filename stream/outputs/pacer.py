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
from stream.outputs.output import Leader, Output, OutputStatus
from stream.outputs.standstill import Stops

_log = logging.getLogger(__name__)

MIN_WAIT_S = 0.002
MAX_WAIT_S = 0.02
"""A leader is looked at this often."""
MAX_WAIT_ALONE_S = 0.5
"""Without a leader there is nothing to see but the clock; skips, pauses and the end wake the pacer."""
LEADER_BLOCK_FRAMES = 1024
ALONE_BLOCK_FRAMES = 16_384
"""Encoders take what there is in pieces of about this length; each block less is a thread less to wake."""
GIVE_UP_LATENESS_S = 60.0
LEADER_STALL_S = 0.8
"""A leader that plays and yet takes nothing for this long is not waited for: who listens elsewhere would."""
LEADER_START_S = 4.0
"""The same for one that is only about to play: some devices take seconds to open."""
LEADER_SLACK_S = 0.25
"""How far a leader that has played before may fall behind the wall clock before others are given more."""
LEADER_REFILL_S = 0.1
"""How much more than a leader holds the others may be given in advance."""
LEADER_SLEW = 0.05
"""The most by which a leader's clock is taken to differ from the wall clock; what goes beyond is a stall."""
START_LEAD_S = 3.0
"""What may be pulled at once at the start where nothing paces but the wall clock: who comes first then gets
about as much in advance as who comes later. Less than any output's ring."""
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
        self._lead_frames = round(lead_s * engine_rate_hz) if leader is None else 0
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
        self._blocks = 0
        self._lateness = Lateness(clock)
        self._stops = Stops(clock)
        self._clock_resets = 0
        self._leader_losses = 0
        self._rested_s: float | None = None

        # The pacer's thread only. At `_anchor_s` the stream was heard up to `_anchor_frames`.
        self._anchor_s = clock()
        self._anchor_frames = self._lead_frames
        self._leader_moved_s = self._led_s = self._anchor_s
        self._leader_stood = False
        self._leader_played = False
        self._refills = False
        self._title: tuple[str, int] | None = None

    # Any thread.

    def start(self) -> None:
        """Start every output, then pull; `OutputError` when one cannot start: the others are closed again."""
        self._outputs.start()
        self._anchor_s = self._leader_moved_s = self._led_s = self._clock_s()
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
        finished = self._finished.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return finished

    def status(self) -> PacerStatus:
        """Return a snapshot."""
        return PacerStatus(
            clock=self._clock,
            blocks=self._blocks,
            frames=self._blocks * self._block_frames,
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
        if self._standing_still():
            self._rest()
        elif self._leads():
            self._follow_leader()
        else:
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
            self._refills = False
            self._skips.popleft()()
            for output in self._outputs:
                self._outputs.ask(output, output.skip)

    def _standing_still(self) -> bool:
        if self._paused or self._leader is None:
            return self._paused
        status = self._outputs.ask(self._leader, self._leader.status)
        return status is not None and status.state == "paused"

    def _leads(self) -> bool:
        leads = self._leader is not None and self._moves(self._leader)
        if self._clock == "leader" and not leads:
            self._leader_losses += 1
        return leads

    def _moves(self, leader: Leader) -> bool:
        """Return whether the leader takes what it is offered, or is about to."""
        now_s = self._clock_s()
        space_frames = self._outputs.ask(leader, leader.space_frames)
        status = self._outputs.ask(leader, leader.status)
        if space_frames is None or status is None:
            return False
        if space_frames >= self._block_frames:
            self._leader_moved_s = now_s
        there = status.state in ("starting", "playing")
        patience_s = LEADER_START_S if status.state == "starting" else LEADER_STALL_S
        moves = there and now_s - self._leader_moved_s <= patience_s
        if not there:
            self._leader_stood = False
        elif not moves:
            self._leader_stood = True
        elif self._leader_stood and space_frames >= self._block_frames:
            # What its ring holds is from before, with holes; it goes over to what is pulled now.
            self._outputs.ask(leader, leader.skip)
            self._leader_stood, self._refills = False, True
        return moves

    def _follow_leader(self) -> None:
        assert self._leader is not None
        self._clock = "leader"
        space_frames = self._outputs.ask(self._leader, self._leader.space_frames)
        status = self._outputs.ask(self._leader, self._leader.status)
        if space_frames is None or status is None:
            # It has failed just now; from the next step on the wall clock goes on.
            return
        missing_frames = self._block_frames - space_frames
        before_s = self._clock_s()
        if missing_frames > 0 and not self._is_overdue(before_s):
            self._wait(missing_frames / self._rate_hz)
            return
        if missing_frames <= 0 and self._is_ahead(space_frames, status, before_s):
            self._wait(self._block_frames / self._rate_hz)
            return
        if missing_frames > 0:
            # It does not take this block: it opens again, or stalls, and who listens elsewhere would wait.
            self._leader_stood = True
        else:
            self._follow_clock_of(status, before_s)
        block = self._pull()
        if status.state == "playing" and missing_frames <= 0:
            took_s = self._clock_s() - before_s
            self._lateness.note(took_s - status.buffered_s, f"the engine took {took_s:.2f} s for a block")
        self._offer(block)

    def _is_overdue(self, now_s: float) -> bool:
        """Return whether the others are so far behind the wall clock that the leader is not waited for."""
        return self._leader_played and self._others and now_s - self._due_s() > LEADER_SLACK_S

    def _is_ahead(self, space_frames: int, status: OutputStatus, now_s: float) -> bool:
        """Return whether the others would get more than they can keep, because the leader fills up anew."""
        capacity_s = space_frames / self._rate_hz + status.buffered_s
        ahead_s = self._due_s() - now_s
        return self._refills and self._others and ahead_s > capacity_s + LEADER_REFILL_S

    def _follow_clock_of(self, status: OutputStatus, now_s: float) -> None:
        """Take over where a leader is that takes a block, as the time from which the wall clock would go on.

        What it stood still is not taken over once it has played: the others would lose it.
        """
        due_s = now_s + status.buffered_s
        if self._leader_played:
            most_s = LEADER_SLEW * min(now_s - self._led_s, 1.0)
            due_s = min(max(due_s, self._due_s() - most_s), self._due_s() + most_s)
        self._leader_played = self._leader_played or status.state == "playing"
        self._led_s = self._anchor_s = now_s
        self._anchor_frames = self._blocks * self._block_frames - round((due_s - now_s) * self._rate_hz)

    def _due_s(self) -> float:
        """Return when the wall clock asks for the next block."""
        return self._anchor_s + (self._blocks * self._block_frames - self._anchor_frames) / self._rate_hz

    def _follow_wall(self) -> None:
        self._clock = "wall"
        now_s = self._clock_s()
        due_s = self._due_s()
        if due_s > now_s:
            self._wait(due_s - now_s)
            return
        if now_s - due_s > GIVE_UP_LATENESS_S:
            self._clock_resets += 1
            self._anchor_s += now_s - due_s
            _log.warning("the stream was %.0f s behind; it goes on from here", now_s - due_s)
            due_s = now_s
        leads = self._blocks * self._block_frames < self._lead_frames
        block = self._pull()
        after_s = self._clock_s()
        if leads:
            # Nobody waits for it, and the clock runs from when it is there.
            self._anchor_s = after_s
        else:
            took_s = after_s - now_s
            cause = f"the engine took {took_s:.2f} s for a block"
            if due_s + took_s < now_s:
                cause = f"nothing was done for {now_s - due_s:.2f} s"
            self._lateness.note(after_s - due_s, cause)
        # A leader that is gone is offered it all the same, and counts what it misses.
        self._offer(block)

    def _rest(self) -> None:
        """Stand still for a moment; outputs that are offered nothing fade into silence by themselves."""
        self._clock = "paused"
        self._wait(self._max_wait_s)
        self._anchor_s = self._leader_moved_s = self._led_s = self._rested_s = self._clock_s()
        self._anchor_frames = self._blocks * self._block_frames

    def _pull(self) -> FloatArray:
        block = self._render(self._block_frames)
        self._blocks += 1
        return block

    def entitle(self, title: str, after_frames: int) -> None:
        """Have every output told a title, before it is offered the frames that bear it.

        For `render` to call: the title of what it returns, but for the first `after_frames`.
        """
        self._title = (title, after_frames)

    def _offer(self, block: FloatArray) -> None:
        if self._title is not None:
            title, self._title = self._title, None
            for output in self._outputs:
                self._outputs.ask(output, output.entitle, *title)
        for output in self._outputs:
            self._outputs.ask(output, output.offer, block)

    def _wait(self, wanted_s: float) -> None:
        self._wait_s(min(max(wanted_s, MIN_WAIT_S), self._max_wait_s))

    def _wait_for_wake(self, timeout_s: float) -> None:
        self._wake.wait(timeout_s)
        self._wake.clear()
