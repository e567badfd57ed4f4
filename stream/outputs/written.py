"""A written output hands on what was offered, as it is, in a thread of its own, into a file or a pipe."""

import logging
import threading
from abc import abstractmethod
from collections import deque
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from stream.outputs.fed import explain
from stream.outputs.output import Output, OutputStatus, State
from stream.outputs.output_tally import OutputTally
from stream.outputs.ring.ring import Ring

_log = logging.getLogger(__name__)

WRITE_RING_S = 8.0
"""How long a disk may stand still before anything is lost."""
WRITE_FADE_S = 0.1
"""So much is held back, to be faded out at an end that comes unforeseen."""
_POLL_S = 0.25
_CLOSE_S = 0.9
_MAX_TITLES = 64


class EndOfWritingError(Exception):
    """Nothing more can be taken, and what was written is whole; the message says why."""


class WrittenOutput(Output):
    """An `Output` that takes the stream bit for bit and ends by itself at the first fault.

    A subclass says what is done with it; all that it adds belongs to the worker's thread and may block.
    While the stream is paused nothing is written: what follows goes on where it stood.
    """

    def __init__(self, name: str, engine_rate_hz: int) -> None:
        self.name = name
        self.engine_rate_hz = engine_rate_hz
        self._ring = Ring(round(WRITE_RING_S * engine_rate_hz))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        # Appended to by the pacer's thread: after how many of the frames in the ring a title begins.
        self._titles: deque[tuple[int, str]] = deque(maxlen=_MAX_TITLES)
        self._taken = 0
        self._dropped = 0
        self._state: State = "starting"
        self._fault = ""
        self._done = False
        self._tally = OutputTally()

    # What a subclass adds.

    def _open(self) -> None:
        """Make ready to write."""

    @abstractmethod
    def _write(self, block: FloatArray) -> None:
        """Take the next `(frames, 2)` float32; `EndOfWritingError` to end well before that block."""

    def _turn(self, title: str) -> None:
        """Take the title of what is written from now on."""

    def _size_bytes(self) -> int:
        """Return how many bytes were written, 0 where they are not counted. Any thread."""
        return 0

    def _finish(self, *, failed: bool) -> None:
        """Close what was opened; failed: whether anything was raised before."""

    def _listening(self) -> int | None:
        """Return how many take it, None where that cannot be known. Any thread."""
        return None

    def _detail(self) -> str:
        """Return how it is while nothing is wrong. Any thread."""
        return ""

    @property
    def ending(self) -> bool:
        """Whether the output is to end, so that a write that waits must wait no longer."""
        return self._stop.is_set()

    def add_to_fault(self, clause: str) -> None:
        """Have what ended it told with more, while it is being finished; for the worker's thread."""
        self._fault += clause

    # The rest is the same for all; see `Output` for who calls what.

    def start(self) -> None:
        """Open, so that what can never be written is refused at once, and begin to take blocks."""
        self._open()
        self._thread.start()

    def space_frames(self) -> int:
        """Return how many frames `offer` takes now without dropping any."""
        return self._ring.space_frames()

    def offer(self, block: FloatArray) -> None:
        """Take a block `(frames, 2)` float32; what does not fit is dropped and counted."""
        taken = self._ring.write(block) if self._thread.is_alive() else 0
        self._taken += taken
        self._dropped += len(block) - taken

    def entitle(self, title: str, after_frames: int) -> None:
        """Take the title of what will be offered, but for the first `after_frames`."""
        self._titles.append((self._taken + after_frames, title))

    def skip(self) -> None:
        """Do nothing: what was offered is written."""

    def status(self) -> OutputStatus:
        """Return a snapshot."""
        return OutputStatus(
            name=self.name,
            state=self._state,
            detail=self._fault or self._detail(),
            done=self._done,
            frames_out=self._tally.frames,
            dropped_frames=self._dropped,
            listeners=self._listening(),
            buffered_s=self._ring.readable_frames() / self.engine_rate_hz,
            bytes_out=self._size_bytes(),
            delivered_ago_s=self._tally.ago_s,
            audible_ago_s=self._tally.audible_ago_s,
        )

    def close(self) -> None:
        """Write what is left, fade out, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _work(self) -> None:
        failed = True
        try:
            self._state = "playing"
            self._write_all()
            failed = False
        except EndOfWritingError as end:
            failed, self._fault, self._done = False, str(end), True
        except Exception as error:
            self._fault = explain(error)
        try:
            self._finish(failed=failed)
        except Exception as error:
            self._fault = self._fault or explain(error)
        self._state = "stopped"
        if self._fault:
            _log.warning("%s has ended: %s", self.name, self._fault)

    def _write_all(self) -> None:
        held = np.zeros((0, 2), dtype=np.float32)
        hold_frames = round(WRITE_FADE_S * self.engine_rate_hz)
        while True:
            last = self._stop.is_set()
            frames = self._ring.readable_frames()
            if frames:
                held = np.concatenate([held, self._ring.read(frames)])
                ready = max(len(held) - hold_frames, 0)
                self._hand_on(held[:ready])
                held = held[ready:]
            if last:
                self._hand_on(held * np.linspace(1.0, 0.0, len(held), dtype=np.float32)[:, np.newaxis])
                return
            self._stop.wait(_POLL_S)

    def _hand_on(self, block: FloatArray) -> None:
        """Write a block in pieces that have one title each."""
        while len(block):
            at_frame = self._tally.frames
            while self._titles and self._titles[0][0] <= at_frame:
                self._turn(self._titles.popleft()[1])
            frames = min(len(block), self._titles[0][0] - at_frame if self._titles else len(block))
            self._write(block[:frames])
            self._tally.take(block[:frames])
            self._tally.hand_on()
            block = block[frames:]


def file_place(path: Path) -> str:
    """Return what no two outputs may write at the same time."""
    return str(path.expanduser().resolve())
