"""Key presses arrive from a real pseudo-terminal, and sources without keys do no harm."""

import os
import pty
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.support.commands import Running
from tests.support.waiting import PATIENCE_S
from tools.running.keys import NoKeys, TerminalKeys, open_keys


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The keyboard's end and the program's end of a terminal."""
    keyboard, program = pty.openpty()
    yield keyboard, program
    for end in (keyboard, program):
        try:
            os.close(end)
        except OSError:
            continue


def test_keys_come_without_enter_and_without_echo(terminal: tuple[int, int]) -> None:
    keyboard, program = terminal
    with TerminalKeys(program) as keys:
        assert keys.read(0.0) == ""
        os.write(keyboard, b"n")
        assert keys.read(PATIENCE_S) == "n"
        os.write(keyboard, "+é".encode())
        assert keys.read(PATIENCE_S) == "+é"
    os.set_blocking(keyboard, False)
    with pytest.raises(BlockingIOError):
        os.read(keyboard, 10)


def test_an_arrow_is_no_letter(terminal: tuple[int, int]) -> None:
    keyboard, program = terminal
    with TerminalKeys(program) as keys:
        os.write(keyboard, b"\x1b[A")
        assert keys.read(PATIENCE_S) == ""
        os.write(keyboard, b"q")
        assert keys.read(PATIENCE_S) == "q"


def test_the_terminal_is_left_as_it_was(terminal: tuple[int, int]) -> None:
    _, program = terminal
    before = termios.tcgetattr(program)
    with pytest.raises(RuntimeError), TerminalKeys(program):
        assert termios.tcgetattr(program) != before
        raise RuntimeError
    assert termios.tcgetattr(program) == before


def test_ctrl_c_still_interrupts(terminal: tuple[int, int]) -> None:
    _, program = terminal
    with TerminalKeys(program):
        assert termios.tcgetattr(program)[3] & termios.ISIG


def test_a_closed_stdin_is_no_key_and_no_busy_loop(terminal: tuple[int, int]) -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    keys = TerminalKeys(read_end)
    assert [keys.read(0.01) for _ in range(3)] == ["", "", ""]
    assert not keys._open
    os.close(read_end)


def test_no_terminal_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123 - a stream like sys.stdin
        monkeypatch.setattr(sys, "stdin", nothing)
        source = open_keys()
    assert isinstance(source, NoKeys)
    with source:
        assert source.read(0.0) == ""
    monkeypatch.setattr(sys, "stdin", None)
    assert isinstance(open_keys(), NoKeys)


def test_a_job_in_the_background_leaves_the_terminal_alone() -> None:
    """A process that is not in the terminal's foreground would be stopped by touching its modes."""
    code = (
        "import os, sys\n"
        "from tools.running.keys import open_keys\n"
        "print(type(open_keys()).__name__, flush=True)\n"
        "os.setpgid(0, 0) if os.fork() == 0 else os.wait()\n"
        "print(type(open_keys()).__name__, flush=True)\n"
    )
    with Running("-c", code, terminal=True, command=(sys.executable,)) as running:
        assert running.end() == 0
        assert running.printed().split() == ["TerminalKeys", "NoKeys", "TerminalKeys"]
