"""An interrupt ends a command, whoever swallows it; a signal that wants the end is one."""

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_AGAIN_S = 0.02
"""An interrupt that was swallowed comes again after this time."""


class _Interrupt(KeyboardInterrupt):
    """An interrupt that tells when it is forgotten: it lives for as long as anyone handles it."""

    def __init__(self, forgotten: Callable[[], None]) -> None:
        self._forgotten = forgotten

    def __del__(self) -> None:
        self._forgotten()


@contextmanager
def signals_as_interrupts() -> Iterator[list[int]]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does: nothing half-written stays, a checkpoint is kept.

    Yields the signals that came. Commands that fade out take them over meanwhile (`tools.running.ending`).
    Finalisers swallow an interrupt, libraries make another error of it, which somebody takes for a missing
    package or a broken file: what goes on all the same is interrupted again.
    """
    came: list[int] = []
    entered = True
    tell_unraisable = sys.unraisablehook

    def tell_others(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            tell_unraisable(unraisable)

    def interrupt_again() -> None:
        if entered:
            _thread.interrupt_main()

    def forgotten() -> None:
        if entered:
            # Not from here, where it would be swallowed as well.
            again = threading.Timer(_AGAIN_S, interrupt_again)
            again.daemon = True
            again.start()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not entered:
            return
        came.append(number)
        if number != signal.SIGINT:
            # Another one ends at once.
            signal.signal(number, signal.SIG_DFL)
        raise _Interrupt(forgotten)

    before = {}
    for name, usual in (
        ("SIGINT", signal.default_int_handler),
        ("SIGTERM", signal.SIG_DFL),
        ("SIGHUP", signal.SIG_DFL),
    ):
        number = getattr(signal, name, None)
        # What is ignored, as under nohup, stays so; and only the main thread may ask.
        if number is not None and signal.getsignal(number) == usual:
            with suppress(ValueError):
                before[number] = signal.signal(number, interrupt)
    sys.unraisablehook = tell_others
    try:
        yield came
    finally:
        entered = False
        sys.unraisablehook = tell_unraisable
        for number, handler in before.items():
            signal.signal(number, handler)
        # Python remembers an interrupt that left an `exec`, handled or not, and under `-m` it then ends by
        # the signal instead of its exit code; another `exec` has it forget.
        exec("")
