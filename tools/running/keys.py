"""This module reads single key presses from the terminal, on POSIX (termios) and Windows (msvcrt)."""

import os
import sys
import time
from types import TracebackType
from typing import Protocol, Self

_POLL_S = 0.02


class Keys(Protocol):
    """A source of key presses; a context manager that leaves the terminal as it found it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def read(self, timeout_s: float) -> str:
        """Return the keys that were pressed, or "" after `timeout_s` without one; main thread only."""


def open_keys() -> Keys:
    """Return the keys of standard input, or a source without keys where that is no terminal of ours."""
    if not sys.stdin or sys.stdin.closed or not sys.stdin.isatty():
        return NoKeys()
    if sys.platform == "win32":
        return WindowsKeys()
    descriptor = sys.stdin.fileno()
    # A job in the background is stopped by the kernel as soon as it touches the terminal's modes.
    if os.tcgetpgrp(descriptor) != os.getpgrp():
        return NoKeys()
    return TerminalKeys(descriptor)


class NoKeys:
    """No keyboard: `read` only waits."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def read(self, timeout_s: float) -> str:
        """Wait and return ""."""
        time.sleep(timeout_s)
        return ""


if sys.platform == "win32":
    import msvcrt

    class WindowsKeys(NoKeys):
        """Keys of a Windows console, polled."""

        def read(self, timeout_s: float) -> str:
            """Return the keys that were pressed, or "" after `timeout_s`."""
            deadline_s = time.monotonic() + timeout_s
            while not msvcrt.kbhit():
                if time.monotonic() >= deadline_s:
                    return ""
                time.sleep(_POLL_S)
            pressed = ""
            while msvcrt.kbhit():
                key = msvcrt.getwch()
                if key in "\x00\xe0":
                    # An arrow or function key: its second half is no letter.
                    msvcrt.getwch()
                elif key == "\x03":
                    raise KeyboardInterrupt
                else:
                    pressed += key
            return pressed

else:
    import select
    import termios

    class TerminalKeys:
        """Keys of a POSIX terminal: neither echoed nor kept until Enter; Ctrl-C still interrupts."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._open = True

        def __enter__(self) -> Self:
            self._before = termios.tcgetattr(self._descriptor)
            modes = termios.tcgetattr(self._descriptor)
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, modes)
            return self

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

        def read(self, timeout_s: float) -> str:
            """Return the keys that were pressed, or "" after `timeout_s`."""
            if not self._open:
                time.sleep(timeout_s)
                return ""
            if not select.select([self._descriptor], [], [], timeout_s)[0]:
                return ""
            pressed = os.read(self._descriptor, 64)
            # The terminal went away (its window was closed): readable for ever, with nothing in it.
            self._open = bool(pressed)
            # An arrow or function key comes as one sequence, of which no byte is a key.
            return "" if pressed.startswith(b"\x1b") else pressed.decode(errors="ignore")
