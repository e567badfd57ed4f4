"""Signals are taken as a wish to end."""

import os
import signal

import pytest

from tests.support.waiting import PATIENCE_S
from tools.running.ending import EndedError, Ending


@pytest.mark.parametrize(("number", "interrupt"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_is_noted(number: signal.Signals, interrupt: bool) -> None:
    before = signal.getsignal(number)
    with Ending() as ending:
        ending.check()
        assert not ending.wanted
        os.kill(os.getpid(), number)
        ending.wait(PATIENCE_S)
        assert ending.wanted
        assert ending.by_interrupt == interrupt
        with pytest.raises(EndedError):
            ending.check()
    assert signal.getsignal(number) is before


def test_the_second_ctrl_c_interrupts_at_once() -> None:
    # A job in the background of a shell is started with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGINT)
        ending.wait(PATIENCE_S)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with Ending():
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in before} == before
