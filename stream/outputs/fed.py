"""A fed output runs a thread that takes from a feed, encodes, and hands on, counted; after a fault, again."""

import threading
import time
from abc import abstractmethod

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.feed import EncoderFeed
from stream.outputs.output import Output, OutputStatus, State
from stream.outputs.output_tally import OutputTally

FIRST_POLL_S = 0.03
"""How often a worker looks for sound until it has handed something on, or while it throws sound away."""


class FedOutput(Output):
    """An `Output` whose one thread works for ever on what the pacer offers, which only ever meets the ring.

    A subclass says what is done with it; what it adds belongs to the worker's thread and may block.
    """

    latency_s = 0.0
    """Time from handing on to hearing, as far as it is known."""

    def __init__(self, name: str, engine_rate_hz: int, *, card_paced: bool) -> None:
        """card_paced: a sound card sets the pace; whoever listens goes by the wall clock, so the sound is
        resampled to it."""
        self.name = name
        self.engine_rate_hz = engine_rate_hz
        self._feed = EncoderFeed(engine_rate_hz, card_paced=card_paced)
        self._tally = OutputTally()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._state: State = "starting"
        self._fault = ""
        self._sessions = 0

    # What a subclass adds.

    @abstractmethod
    def _work(self) -> None:
        """Take and hand on until the end; raises nothing. The worker's thread."""

    def _detail(self) -> str:
        """Return where the stream can be heard. Any thread."""
        return ""

    # The rest is the same for all; see `Output` for who calls what.

    def start(self) -> None:
        """Begin to take blocks."""
        self._thread.start()

    def space_frames(self) -> int:
        """Return how many frames `offer` takes now without dropping any."""
        return self._feed.space_frames()

    def offer(self, block: FloatArray) -> None:
        """Take a block `(frames, 2)` float32; never blocks: what does not fit is dropped and counted."""
        self._feed.offer(block)

    def entitle(self, title: str, after_frames: int) -> None:
        """Take the title of what will be offered, but for the first `after_frames`."""
        self._feed.entitle(title, after_frames)

    def skip(self) -> None:
        """Do nothing: what waits is soon handed on, and what was handed on is beyond recall."""

    def lag_s(self) -> float:
        """Return how long what is offered now takes until it is heard. Any thread."""
        return self._feed.buffered_s + self.latency_s

    def status(self) -> OutputStatus:
        """Return a snapshot. Any thread."""
        feed, tally = self._feed, self._tally
        return OutputStatus(
            name=self.name,
            state=self._state,
            detail=self._fault or self._detail(),
            frames_out=tally.frames,
            underrun_frames=feed.silence_frames,
            dropped_frames=feed.dropped_frames + tally.lost_frames,
            stretched_frames=feed.stretched_frames,
            skew_ppm=feed.skew_ppm,
            buffered_s=feed.buffered_s,
            latency_s=self.latency_s,
            bytes_out=tally.size_bytes,
            reconnects=max(self._sessions - 1, 0),
            delivered_ago_s=tally.ago_s,
            audible_ago_s=tally.audible_ago_s,
            kind=self.kind,
        )

    # The worker's thread.

    def _rest(self, wait_s: float) -> None:
        """Wait, throwing away what is offered meanwhile."""
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s and not self._stop.wait(FIRST_POLL_S):
            self._feed.discard()


def explain(error: Exception) -> str:
    """Return what went wrong, in words for a status line."""
    if isinstance(error, OutputError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}"
