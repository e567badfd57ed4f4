"""The terminal prints times, tables, JSON and words as the commands want them."""

import json
import sys
from pathlib import Path

import pytest

from tools.terminal import clock, plural, print_json, print_table, printable, progress_bar


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00"),
        (59.99, "0:59"),
        (60, "1:00"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (36_061, "10:01:01"),
        (-3, "0:00"),
    ],
)
def test_clock(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


def test_plural() -> None:
    assert [plural(n, "song") for n in (0, 1, 2)] == ["0 songs", "1 song", "2 songs"]


def test_printable_leaves_nothing_that_steers_a_terminal() -> None:
    assert printable("a\x1b[2Jb\r\nc\x07é – 音") == "a [2Jb  c é – 音"


def test_a_table_is_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n"), [("x" * 300, 1), ("y", 22)])
    wide, pad = "x" * 300, " " * 300
    assert capsys.readouterr().out.splitlines() == [f"name{pad[4:]}  n", f"{wide}  1", f"y{pad[1:]}  22"]


def test_json_takes_paths_and_refuses_what_is_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": Path("a/b"), "title": "é"})
    assert json.loads(capsys.readouterr().out) == {"path": str(Path("a/b")), "title": "é"}
    with pytest.raises(ValueError, match="JSON"):
        print_json(float("nan"))
    with pytest.raises(TypeError, match="no place in JSON"):
        print_json(object())


@pytest.mark.parametrize(
    ("quiet", "terminal", "drawn"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_progress_is_drawn_on_a_terminal_only(
    quiet: bool,
    terminal: bool,
    drawn: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(quiet) as progress:
        progress.update(progress.add_task("something", total=2), completed=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert bool(shown.err) == drawn
