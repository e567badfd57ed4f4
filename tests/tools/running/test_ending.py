"""Signals are taken as a wish to end."""

import os
import signal
import threading
import time

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


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
def test_signals_on_top_of_each_other_are_one_wish(first: signal.Signals, second: signal.Signals) -> None:
    with Ending() as ending:
        for number in (first, second, second):
            os.kill(os.getpid(), number)
        ending.wait(PATIENCE_S)
        assert ending.wanted
        assert ending.by_interrupt == (first == signal.SIGINT)
        # What is cleared meanwhile is not disturbed.
        os.kill(os.getpid(), second)


def test_a_signal_that_comes_later_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.running.ending.ENDING_GRACE_S", -1.0)
    ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    try:
        with Ending():
            os.kill(os.getpid(), signal.SIGTERM)
            assert not ended
            os.kill(os.getpid(), signal.SIGTERM)
            assert ended == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_in_the_middle_of_a_wait_ends_it() -> None:
    with Ending() as ending:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began_s = time.monotonic()
        ending.wait(PATIENCE_S)
        assert ending.wanted
        assert time.monotonic() - began_s < PATIENCE_S


def test_handlers_are_put_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with Ending():
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in before} == before
