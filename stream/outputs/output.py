"""An output takes blocks from the pacer without ever blocking, and says how it is."""

import time
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from model.base.arrays import FloatArray

AUDIBLE = 0.5 / 32768
"""Peaks below half a 16-bit step are silence."""

State = Literal["starting", "playing", "paused", "reconnecting", "stopped"]


@dataclass(frozen=True, kw_only=True)
class OutputStatus:
    """How an output is doing; counters only ever grow."""

    name: str
    state: State
    detail: str = ""
    """The last fault, or where the stream can be heard."""
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
    device_underruns: int = 0
    """How often a device said that it had run dry itself."""
    reconnects: int = 0
    delivered_ago_s: float | None = None
    """How long ago anything was last handed on, silence too; None: never."""
    audible_ago_s: float | None = None
    """How long ago audible sound was last handed on; None: never."""


class Output(Protocol):
    """One place that the stream goes to, with a ring, a clock and a thread of its own.

    One that nothing is offered to, because the stream is paused or late, fades into silence by itself.
    `start` and `close` belong to one thread at a time, `space_frames`, `offer` and `skip` to the pacer's,
    `status` to any.
    """

    name: str

    def start(self) -> None:
        """Begin to take blocks; `OutputError` when it cannot ever work (no such device, port in use)."""

    def space_frames(self) -> int:
        """Return how many frames `offer` takes now without dropping any."""

    def offer(self, block: FloatArray) -> None:
        """Take a block `(frames, 2)` float32; never blocks: what does not fit is dropped and counted."""

    def skip(self) -> None:
        """The stream jumps: drop what is buffered and unheard, faded, if that makes the jump quicker."""

    def status(self) -> OutputStatus:
        """Return a snapshot."""

    def close(self) -> None:
        """Fade out and end, within a second."""


class Leader(Output, Protocol):
    """An output whose own clock may pace the stream: a sound card."""

    def pause(self, paused: bool) -> None:
        """Fall silent, faded, and keep what is buffered; or go on from there. Any thread."""


def status_of(output: Output) -> OutputStatus:
    """Return an output's snapshot; of one that cannot even say how it is, one that says so. Any thread."""
    try:
        return output.status()
    except Exception as error:  # of whatever kind: the other outputs have nothing to do with it
        detail = f"it cannot say how it is ({type(error).__name__}: {error})"
        return OutputStatus(name=output.name, state="stopped", detail=detail)


def audible(block: FloatArray) -> bool:
    """Return whether a block `(frames, 2)` holds anything that can be heard."""
    return bool(len(block)) and float(np.abs(block).max()) > AUDIBLE


def ago_s(at_s: float | None) -> float | None:
    """Return how long ago a time of the monotonic clock was, None for None."""
    return None if at_s is None else time.monotonic() - at_s
