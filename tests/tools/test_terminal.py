"""The terminal prints times, tables, JSON and words as the commands want them."""

import json
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.terminal import (
    WIDEST_CELL,
    clock,
    display_cells,
    plural,
    print_json,
    print_table,
    printable,
    progress_bar,
    table_cell,
    without_middle,
)


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


def test_in_a_pipe_a_long_cell_is_whole_and_widens_no_other_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n"), [("x" * 3_000, 1), ("long", 22)])
    assert capsys.readouterr().out.splitlines() == ["name  n", "x" * 3_000 + "  1", "long  22"]


def test_on_a_terminal_a_long_cell_is_shortened_in_its_middle(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("name", "n", "cut"), [("a" + "x" * 3_000 + "z", 1, "w" * 100), ("y", 22, "v")])
    head, long, short = capsys.readouterr().out.splitlines()
    assert display_cells(long.split()[0]) == WIDEST_CELL
    assert long.startswith("axxx") and long.split()[0].endswith("xxxz") and "…" in long
    assert long.endswith("  1   " + "w" * 100)
    assert head.index("n", 4) == long.index("  1") + 2 == short.index("22")


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("é", 1),
        ("e\N{COMBINING ACUTE ACCENT}", 1),
        ("東京", 4),
        ("ｱ", 1),
        ("🎵", 2),
        ("\u200d", 0),
    ],
)
def test_cells_of_a_text(text: str, cells: int) -> None:
    assert display_cells(text) == cells
    assert display_cells(without_middle(40 * text, 20)) <= 20
    assert without_middle(text, 60) == without_middle(text, None) == text


def test_wide_letters_do_not_shift_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n"), [("東京 music", 1), ("e\N{COMBINING ACUTE ACCENT}t", 2), ("plain", 3)])
    lines = capsys.readouterr().out.splitlines()
    assert [display_cells(line[: -len(line.split()[-1])]) for line in lines] == [12] * 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (False, "no"),
        (0, "0"),
        (44_100.0, "44100"),
        (0.008684807256235827, "0.008685"),
        ("a", "a"),
    ],
)
def test_a_cell_is_for_a_person(value: object, shown: str) -> None:
    assert table_cell(value) == shown


def test_json_takes_paths_and_refuses_what_is_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": Path("a/b"), "title": "é"})
    assert json.loads(capsys.readouterr().out) == {"path": str(Path("a/b")), "title": "é"}
    with pytest.raises(ValueError, match="JSON"):
        print_json(float("nan"))
    with pytest.raises(TypeError, match="no place in JSON"):
        print_json(object())


@pytest.mark.parametrize("values", [[], [{"a": 1.5}], [1, [2, 3], {"b": []}]])
def test_json_of_an_iterator_is_that_of_a_list_and_held_value_by_value(
    capsys: pytest.CaptureFixture[str], values: list[object]
) -> None:
    print_json({"before": 1, "values": iter(values), "after": None})
    expected = {"before": 1, "values": values, "after": None}
    assert capsys.readouterr().out == json.dumps(expected, indent=2) + "\n"
    held: list[weakref.ref[Once]] = []
    print_json({"values": once(held)})
    assert capsys.readouterr().out.count('"value"') == len(held) == 50


class Once(dict[str, int]):
    """A value that can be looked after."""


def once(held: list[weakref.ref[Once]]) -> Iterator[Once]:
    """Give values; of those before, the first and the last may still be there."""
    for number in range(50):
        assert sum(before() is not None for before in held) <= 2
        value = Once(value=number)
        held.append(weakref.ref(value))
        yield value
        del value


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
