"""The pacer: one thread pulls the engine and offers the same frames to every output, at the right speed."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.errors import EndlosError
from model.kernels import FloatArray
from stream.outputs.base import Leader, Output

log = logging.getLogger(__name__)

MIN_WAIT_S = 0.002
MAX_WAIT_S = 0.02
LATE_S = 0.05
WARN_LATENESS_S = 0.2
WARN_INTERVAL_S = 10.0
GIVE_UP_LATENESS_S = 60.0
# Longer than a sound card takes to notice by itself that its device stands still.
LEADER_STALL_S = 4.0
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
    failed_outputs: int
    """Outputs that raised an exception and get nothing any more."""


class Pacer:
    """Pulls `render` and hands each block to all outputs, which it starts and closes.

    The leader, a sound card, sets the speed: a block is pulled as soon as there is room for it. Without one,
    or while it is gone, the wall clock does. In a pause the engine stands still, the leader is silent, and
    the other outputs get silence at the speed of the wall clock, so that servers do not drop them.
    """

    def __init__(
        self,
        render: Callable[[int], FloatArray],
        outputs: Sequence[Output],
        engine_rate_hz: int,
        *,
        leader: Leader | None = None,
        block_frames: int = 1024,
    ) -> None:
        """Make one that stands still.

        render: returns the next frames, `(frames, 2)` float32. outputs: all of them, `leader` among them or
        not. block_frames: what is pulled at once.
        """
        if block_frames < 1:
            raise ValueError(f"a block of {block_frames} frames, expected at least 1")
        self._render = render
        self._leader = leader
        self._followers: list[Output] = [output for output in outputs if output is not leader]
        self._outputs: list[Output] = ([leader] if leader is not None else []) + self._followers
        self._rate_hz = engine_rate_hz
        self._block_frames = block_frames

        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._finished = threading.Event()
        self._close_lock = threading.Lock()
        self._closed = False
        self._stopping = False
        self._paused = False
        self._skips: deque[Callable[[], object]] = deque(maxlen=MAX_SKIPS_WAITING)
        self._error: Exception | None = None

        # Written by the pacer's thread, read by any.
        self._clock: Clock = "stopped"
        self._blocks = 0
        self._late_blocks = 0
        self._max_lateness_s = 0.0
        self._clock_resets = 0
        self._leader_losses = 0
        self._failed_outputs = 0

        # The pacer's thread only. At `_anchor_s` the stream was heard up to `_anchor_frames`.
        self._anchor_s = 0.0
        self._anchor_frames = 0
        self._leader_moved_s = 0.0
        self._held: FloatArray | None = None
        self._fade_in = False
        self._warned_s = -WARN_INTERVAL_S

    # Any thread.

    def start(self) -> None:
        """Start every output, then pull; `OutputError` when one cannot start: the others are closed again."""
        for started, output in enumerate(self._outputs):
            try:
                output.start()
            except EndlosError:
                del self._outputs[started:]
                self._close_outputs()
                raise
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fade every output out and close it; what `render` raised is left in `error`."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                log.warning("the engine has not answered for %.0f s; closing without it", STOP_TIMEOUT_S)
        self._close_outputs()

    def skip(self, skip_engine: Callable[[], object]) -> None:
        """Make the stream jump: call `skip_engine`, then have every output drop what is not yet heard."""
        self._skips.append(skip_engine)
        self._wake.set()

    def pause(self, paused: bool) -> None:
        """Stand still, faded, or go on from there."""
        self._paused = paused
        if self._leader is not None:
            self._leader.pause(paused)
        self._wake.set()

    @property
    def paused(self) -> bool:
        """Whether the stream stands still."""
        return self._paused

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
            late_blocks=self._late_blocks,
            max_lateness_s=self._max_lateness_s,
            clock_resets=self._clock_resets,
            leader_losses=self._leader_losses,
            failed_outputs=self._failed_outputs,
        )

    # The pacer's thread.

    def _run(self) -> None:
        try:
            self._anchor_s = self._leader_moved_s = time.monotonic()
            while not self._stopping:
                self._do_skips()
                if self._standing_still():
                    self._rest()
                elif self._leads():
                    self._follow_leader()
                else:
                    self._follow_wall()
            if self._clock != "paused" and self._followers:
                self._offer_followers(self._pull() * self._ramp()[::-1])
        except Exception as error:  # of the engine: it belongs to whoever waits
            self._error = error
            log.error("the engine has failed: %s", error)
        finally:
            self._clock = "stopped"
            self._close_outputs()
            self._finished.set()

    def _do_skips(self) -> None:
        while self._skips:
            self._skips.popleft()()
            self._held = None
            for output in list(self._outputs):
                self._guarded(output, output.skip)

    def _standing_still(self) -> bool:
        return self._paused or (self._leader is not None and self._leader.status().state == "paused")

    def _leads(self) -> bool:
        if self._leader is None or self._leader not in self._outputs:
            return False
        now_s = time.monotonic()
        if self._leader.space_frames() >= self._block_frames:
            self._leader_moved_s = now_s
        stands = now_s - self._leader_moved_s > LEADER_STALL_S
        leads = self._leader.status().state in ("starting", "playing") and not stands
        if self._clock == "leader" and not leads:
            self._leader_losses += 1
        return leads

    def _follow_leader(self) -> None:
        assert self._leader is not None
        self._clock = "leader"
        missing_frames = self._block_frames - self._leader.space_frames()
        if missing_frames > 0:
            self._wait(missing_frames / self._rate_hz)
            return
        status = self._leader.status()
        before_s = time.monotonic()
        # Should the leader get lost, the wall clock goes on from what of it has been heard.
        self._anchor_s = before_s
        self._anchor_frames = self._blocks * self._block_frames - round(status.buffered_s * self._rate_hz)
        if self._held is not None:
            held, self._held = self._held, None
            self._guarded(self._leader, self._leader.offer, held)
            return
        block = self._pull()
        if status.state == "playing":
            took_s = time.monotonic() - before_s
            self._count_lateness(took_s - status.buffered_s, f"the engine took {took_s:.2f} s for a block")
        self._guarded(self._leader, self._leader.offer, block)
        self._offer_followers(block)

    def _follow_wall(self) -> None:
        self._clock = "wall"
        now_s = time.monotonic()
        due_s = self._anchor_s + (self._blocks * self._block_frames - self._anchor_frames) / self._rate_hz
        if due_s > now_s:
            self._wait(due_s - now_s)
            return
        if now_s - due_s > GIVE_UP_LATENESS_S:
            self._clock_resets += 1
            self._anchor_s += now_s - due_s
            log.warning("the stream was %.0f s behind; it goes on from here", now_s - due_s)
            due_s = now_s
        block = self._pull()
        after_s = time.monotonic()
        self._count_lateness(after_s - due_s, f"the engine took {after_s - now_s:.2f} s for a block")
        # A leader that is gone counts what it misses; `_held` is part of that.
        self._held = None
        if self._leader is not None:
            self._guarded(self._leader, self._leader.offer, block)
        self._offer_followers(block)

    def _rest(self) -> None:
        """Stand still until the pause ends; the others hear one more block fade out, then silence."""
        self._clock = "paused"
        # With a block still held, the others have been silent since the last pause.
        if self._followers and self._held is None:
            block = self._pull()
            self._offer_followers(block * self._ramp()[::-1])
            self._held = block if self._leader is not None else None
        silence = np.zeros((self._block_frames, 2), dtype=np.float32)
        due_s = time.monotonic()
        while not self._stopping and self._standing_still():
            self._do_skips()
            behind_s = time.monotonic() - due_s
            if behind_s < 0:
                self._wait(-behind_s)
                continue
            if behind_s > GIVE_UP_LATENESS_S:
                self._clock_resets += 1
                due_s += behind_s
            for output in list(self._followers):
                self._guarded(output, output.offer, silence)
            due_s += self._block_frames / self._rate_hz
        self._fade_in = True
        self._anchor_s = self._leader_moved_s = time.monotonic()
        self._anchor_frames = self._blocks * self._block_frames

    def _pull(self) -> FloatArray:
        block = self._render(self._block_frames)
        self._blocks += 1
        return block

    def _offer_followers(self, block: FloatArray) -> None:
        if self._fade_in and self._followers:
            self._fade_in = False
            block = block * self._ramp()
        for output in list(self._followers):
            self._guarded(output, output.offer, block)

    def _ramp(self) -> FloatArray:
        up = np.linspace(0, 1, self._block_frames, dtype=np.float32)
        return np.repeat(up[:, np.newaxis], 2, axis=1)

    def _guarded(self, output: Output, call: Callable[..., None], *args: FloatArray) -> None:
        """Call an output; one that raises is left out from then on, so that no other suffers."""
        if output not in self._outputs:
            return
        try:
            call(*args)
        except Exception:
            self._failed_outputs += 1
            self._outputs.remove(output)
            if output in self._followers:
                self._followers.remove(output)
            log.exception("the output %r has failed; the others go on without it", output.name)

    def _count_lateness(self, lateness_s: float, cause: str) -> None:
        self._max_lateness_s = max(self._max_lateness_s, lateness_s)
        self._late_blocks += lateness_s > LATE_S
        now_s = time.monotonic()
        if lateness_s > WARN_LATENESS_S and now_s - self._warned_s > WARN_INTERVAL_S:
            self._warned_s = now_s
            log.warning("the stream is %.2f s behind: %s", lateness_s, cause)

    def _wait(self, wanted_s: float) -> None:
        self._wake.wait(min(max(wanted_s, MIN_WAIT_S), MAX_WAIT_S))
        self._wake.clear()

    def _close_outputs(self) -> None:
        """Close every output once, whichever thread comes first."""
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            for output in list(self._outputs):
                self._guarded(output, output.close)
