"""An output takes blocks from the pacer without ever blocking, and says how it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from model.base.arrays import FloatArray

if TYPE_CHECKING:  # 10 MB, where nothing is asked for over HTTP
    from starlette.requests import Request
    from starlette.responses import Response

AUDIBLE = 0.5 / 32768
"""Peaks below half a 16-bit step are silence."""

_FEW = 64

LOWEST_VOLUME_DB = -60.0
"""What is turned down further cannot be heard."""

State = Literal["starting", "playing", "behind", "paused", "reconnecting", "stopped"]
"""`behind`: it plays, but whoever takes the sound takes it too slowly, and some of it is left out."""


@dataclass(frozen=True, kw_only=True)
class OutputStatus:
    """How an output is doing; counters only ever grow."""

    name: str
    state: State
    detail: str = ""
    """The last fault, or where the stream can be heard."""
    done: bool = False
    """Whether it has ended by itself, in good order: nobody wants more of it."""
    frames_out: int = 0
    """Frames that were handed on: played, encoded, or sent."""
    underrun_frames: int = 0
    """Frames of silence that were played because nothing was ready."""
    dropped_frames: int = 0
    """Frames that were offered and not taken, because the output's ring was full."""
    stretched_frames: int = 0
    """Frames that were left out or added, one by one, because another clock than the output's paces."""
    skew_ppm: float = 0.0
    """How much faster than it is offered the sound is sent now, for the same reason."""
    buffered_s: float = 0.0
    """What has been offered and not yet been handed on."""
    latency_s: float = 0.0
    """Time from handing on to hearing, as far as the output knows."""
    bytes_out: int = 0
    """Bytes that were sent or written, each once however many listen; 0 of a sound card."""
    device_underruns: int = 0
    """How often a device said that it had run dry itself."""
    reconnects: int = 0
    encoder_restarts: int = 0
    """Encoders that hung or failed and were replaced, while the connection stayed."""
    listeners: int | None = None
    """Who listens now; None where it cannot be known."""
    volume_db: float | None = None
    """What it is turned down by; None where that is up to who listens."""
    delivered_ago_s: float | None = None
    """How long ago anything was last handed on, silence too; None: never."""
    audible_ago_s: float | None = None
    """How long ago audible sound was last handed on; None: never."""
    kind: str = ""
    """What its address begins with; `status_of` says it for every output."""


@dataclass(frozen=True, kw_only=True)
class OutputRoute:
    """One address at which an output wants to be asked over HTTP."""

    path: str
    """Below the page, with its leading slash; as Starlette takes it."""
    answer: "Callable[[Request], Response]"
    """Called in a thread of the web server for each request, which it may hold up."""
    content_type: str | None = None
    """Of a stream that a player can be pointed at, which the page then offers; None: no such stream."""
    for_all: bool = False
    """Whether it is answered by whatever name it is asked, as such a stream is."""


class Output(Protocol):
    """One place that the stream goes to, with a ring, a clock and a thread of its own.

    One that nothing is offered to, because the stream is paused or late, fades into silence by itself.
    Whatever raises ends this output alone. A class of outputs inherits this one: what has a body here
    suits most.
    """

    name: str
    """Unique in a stream; in the log, the status and the health check."""
    kind: str = "other"
    """What its address begins with, as the registry has it."""

    def start(self) -> None:
        """Begin to take blocks; `OutputError` when it cannot ever work (no such device, port in use).

        Called once, by the main thread, before all others; may block for some seconds.
        """

    def space_frames(self) -> int:
        """Return how many frames `offer` takes now without dropping any.

        Called by the pacer's thread, of a leader; must not block.
        """

    def offer(self, block: FloatArray) -> None:
        """Take a block `(frames, 2)` float32; what does not fit is dropped and counted.

        Called by the pacer's thread; must not block, nor keep the array, nor change it.
        """

    def entitle(self, title: str, after_frames: int) -> None:
        """Take the title of what will be offered from now on, but for the first `after_frames`.

        Called by the pacer's thread, before the first block and wherever another song begins; must not block.
        """

    def skip(self) -> None:
        """Drop what is buffered and unheard, faded, if that lets a jump of the stream be heard sooner.

        Called by the pacer's thread; must not block.
        """

    def status(self) -> OutputStatus:
        """Return a snapshot.

        Called by any thread, several at once; must not block.
        """

    def lag_s(self) -> float:
        """Return how long what is offered now takes until it is heard, as far as the output knows.

        Called by any thread, every second: cheaper than a snapshot where that is possible. Must not block.
        """
        status = self.status()
        return status.buffered_s + status.latency_s

    def close(self) -> None:
        """Fade out and end, within a second.

        Called once, by the main thread, or by one of its own after a fault; may block for that second.
        """

    def routes(self) -> Sequence[OutputRoute]:
        """Return where this output is asked over HTTP.

        Called once, by the main thread, before `start`.
        """
        return ()

    def as_leader(self) -> "Leader | None":
        """Return this output if its own clock may pace the stream, else None.

        Called once, by the main thread, before `start`.
        """
        return None


class Leader(Output, Protocol):
    """An output whose own clock may pace the stream: a sound card."""

    volume_db: float
    """At most 0; a change is faded. Set by any thread; must not block."""

    def pause(self, paused: bool) -> None:
        """Fall silent, faded, and keep what is buffered; or go on from there.

        Called by any thread; must not block.
        """


def status_of(output: Output) -> OutputStatus:
    """Return an output's snapshot; of one that cannot even say how it is, one that says so. Any thread."""
    try:
        status = output.status()
        return status if status.kind == output.kind else replace(status, kind=output.kind)
    except Exception as error:  # of whatever kind: the other outputs have nothing to do with it
        detail = f"it cannot say how it is ({type(error).__name__}: {error})"
        return OutputStatus(name=output.name, state="stopped", detail=detail, kind=output.kind)


def lag_of(output: Output) -> float:
    """Return an output's `lag_s`, 0 of one that cannot even say that. Any thread."""
    try:
        return output.lag_s()
    except Exception:  # its snapshot tells of it
        return 0.0


def is_over(statuses: Sequence[OutputStatus]) -> bool:
    """Return whether nobody wants more: every output has ended by itself, in good order."""
    return all(status.done for status in statuses)


def audible(block: FloatArray) -> bool:
    """Return whether a block `(frames, 2)` holds anything that can be heard."""
    # Where there is music a few frames show it.
    return peak_of(block[::_FEW]) > AUDIBLE or peak_of(block) > AUDIBLE


def peak_of(block: FloatArray) -> float:
    """Return the largest magnitude of a block `(frames, 2)`, NaN where it holds one; 0 of no frames."""
    return max(float(block.max()), -float(block.min())) if len(block) else 0.0


def ago_s(at_s: float | None) -> float | None:
    """Return how long ago a time of the monotonic clock was, None for None."""
    return None if at_s is None else time.monotonic() - at_s
