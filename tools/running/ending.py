"""This module takes Ctrl-C and SIGTERM as a wish to end, so that the stream fades out and all is cleared."""

import select
import signal
import socket
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
ENDING_GRACE_S = 3.0
"""Signals that come so soon after the first mean the same: a terminal that is closed sends two."""


class EndedError(Exception):
    """A signal wants the program to end."""


class Ending:
    """Catches the signals while it is entered (main thread); a second Ctrl-C ends at once, as ever.

    So does any signal that comes later than `ENDING_GRACE_S` after the first.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._noted_s = 0.0
        # No lock: a handler runs in the middle of whatever the main thread does, a wait for a lock too.
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._before: dict[int, object] = {}

    @property
    def wanted(self) -> bool:
        """Whether to end."""
        return self._signal is not None

    @property
    def by_interrupt(self) -> bool:
        """Whether it was Ctrl-C."""
        return self._signal == signal.SIGINT

    def wait(self, timeout_s: float) -> None:
        """Wait, less long when a signal comes."""
        if not self.wanted:
            select.select([self._woken], [], [], timeout_s)

    def check(self) -> None:
        """Raise `EndedError` when to end."""
        if self.wanted:
            raise EndedError

    def __enter__(self) -> Self:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        self._woken.close()
        self._waker.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal is None:
            self._signal, self._noted_s = number, time.monotonic()
            with suppress(OSError):
                self._waker.send(b"!")
            return
        again = number == signal.SIGINT == self._signal
        if again or time.monotonic() - self._noted_s > ENDING_GRACE_S:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, handler in list(self._before.items()):
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
