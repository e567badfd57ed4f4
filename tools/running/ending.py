"""This module takes Ctrl-C and SIGTERM as a wish to end, so that the stream fades out and all is cleared."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class EndedError(Exception):
    """A signal wants the program to end."""


class Ending:
    """Catches the signals while it is entered (main thread); a second one ends at once, as ever."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._wanted = threading.Event()
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
        self._wanted.wait(timeout_s)

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

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        self._wanted.set()
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
