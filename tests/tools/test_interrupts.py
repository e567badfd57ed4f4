"""An interrupt ends what goes on, whoever swallows it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.commands import REPOSITORY
from tests.support.waiting import PATIENCE_S, wait_until
from tools.interrupts import signals_as_interrupts


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Who starts the tests in the background of a script has them ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def in_a_finaliser() -> None:
    class Finalised:
        def __del__(self) -> None:
            interrupt()

    Finalised()


def as_a_missing_package() -> None:
    with suppress(ImportError):
        try:
            interrupt()
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error


def without_a_word() -> None:
    with suppress(KeyboardInterrupt):
        interrupt()


@pytest.mark.parametrize("swallow", [in_a_finaliser, as_a_missing_package, without_a_word])
def test_an_interrupt_that_is_swallowed_comes_again(swallow: Callable[[], None]) -> None:
    with pytest.raises(KeyboardInterrupt), signals_as_interrupts() as came:
        swallow()
        wait_until(lambda: False, "the interrupt")
    # Where Python cleans up, the second may be swallowed too.
    assert len(came) >= 2 and set(came) == {signal.SIGINT}


def test_an_interrupt_that_is_answered_comes_once() -> None:
    """What is kept is written down at length."""
    with pytest.raises(ZeroDivisionError), signals_as_interrupts() as came:
        try:
            interrupt()
        except KeyboardInterrupt:
            with suppress(pytest.fail.Exception):
                wait_until(lambda: False, "another interrupt", 0.2)
            raise ZeroDivisionError from None
    assert came == [signal.SIGINT]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_interrupt_and_its_number_is_known(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals_as_interrupts() as came:
        os.kill(os.getpid(), number)
        wait_until(lambda: False, "the interrupt")
    assert came[0] == number
    assert signal.getsignal(number) is before


def test_what_was_interrupted_in_an_exec_ends_with_its_exit_code(tmp_path: Path) -> None:
    """Python ends a module that `-m` runs by the signal, where one that was handled came out of an `exec`."""
    (tmp_path / "ends.py").write_text(
        "import sys\n"
        "from tools.interrupts import signals_as_interrupts\n"
        "try:\n"
        "    with signals_as_interrupts():\n"
        "        exec('raise KeyboardInterrupt')\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ends"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"},
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 7
