"""Folders share rows, what somebody reads stays as it is, and what a killed build left is in nobody's way."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from model.base.array_files import ArrayFile
from model.base.arrays import IntArray
from stream.index.linked_rows import LinkedRows, grow_rows, write_rows

NOTE = {"key": "test"}


def arrays(first: int, count: int) -> dict[str, IntArray]:
    numbers = np.arange(first, first + count)
    return {"wide": np.stack([numbers, -numbers], axis=1), "one": 10 * numbers}


def held(folder: Path) -> list[int]:
    rows = LinkedRows.of(folder)
    wide, one = np.asarray(rows.read("wide")), np.asarray(rows.read("one"))
    np.testing.assert_array_equal(wide, np.stack([one // 10, -one // 10], axis=1))
    assert rows.note["key"] == "test"
    found: list[int] = wide[:, 0].tolist()
    return found


def grow(folder: Path, earlier: Path, places: list[int], first: int, count: int) -> None:
    grow_rows(
        folder,
        NOTE,
        LinkedRows.of(earlier),
        np.array(places, dtype=np.int64),
        arrays(first, count) if count else {},
    )


@pytest.fixture
def first(tmp_path: Path) -> Path:
    write_rows(tmp_path / "1" / "rows", NOTE, arrays(0, 5))
    return tmp_path / "1" / "rows"


@pytest.fixture
def second(first: Path, tmp_path: Path) -> Path:
    # Row 3 is gone, 5 and 6 are new, and come before and between the others.
    grow(tmp_path / "2" / "rows", first, [-1, 0, 1, -1, 2, 4], 5, 2)
    return tmp_path / "2" / "rows"


def test_rows_are_taken_over_and_added(first: Path, second: Path) -> None:
    opened = LinkedRows.of(first).read("one")
    assert held(first) == [0, 1, 2, 3, 4]
    assert held(second) == [5, 0, 1, 6, 2, 4]
    assert (second / "one.bin").samefile(first / "one.bin")
    assert (first / "one.bin").stat().st_size == 7 * 8
    np.testing.assert_array_equal(opened, [0, 10, 20, 30, 40])


def test_what_goes_costs_a_table(first: Path, second: Path, tmp_path: Path) -> None:
    grow(tmp_path / "3" / "rows", second, [6, 0, 4], 0, 0)
    assert held(tmp_path / "3" / "rows") == [6, 0, 4]
    assert (first / "one.bin").stat().st_size == 7 * 8


def test_two_that_grow_from_one_do_not_meet(first: Path, second: Path, tmp_path: Path) -> None:
    grow(tmp_path / "3" / "rows", first, [0, -1], 9, 1)
    assert held(second) == [5, 0, 1, 6, 2, 4]
    assert held(tmp_path / "3" / "rows") == [0, 9]


def test_what_a_killed_build_left_is_behind_nobody(first: Path, tmp_path: Path) -> None:
    with (first / "wide.bin").open("ab") as file:
        file.write(b"\xff" * 21)
    assert held(first) == [0, 1, 2, 3, 4]
    for _ in range(2):
        grow(tmp_path / "2" / "rows", first, [0, 1, 2, 3, 4, -1], 5, 1)
        assert held(tmp_path / "2" / "rows") == [0, 1, 2, 3, 4, 5]
    grow(tmp_path / "3" / "rows", first, [4, 3], 0, 0)
    assert held(tmp_path / "3" / "rows") == [4, 3]


def test_without_links_files_are_copied(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    grow(tmp_path / "2" / "rows", first, [0, -1], 5, 1)
    assert held(tmp_path / "2" / "rows") == [0, 5]
    assert (first / "one.bin").stat().st_size == 5 * 8


@pytest.mark.parametrize(
    ("places", "worth"), [([0, 1, 2, 3, 4], True), ([0, 1, 2, 3], True), ([0, 1, 2], False), ([0, -1], False)]
)
def test_files_with_much_that_nobody_wants_are_not_shared(
    first: Path, places: list[int], worth: bool
) -> None:
    assert LinkedRows.of(first).grows(np.array(places)) == worth


def test_those_of_an_earlier_endlos_are_read_and_do_not_grow(tmp_path: Path) -> None:
    for name, array in arrays(0, 3).items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "index.json").write_text(json.dumps({"format_version": 1, "chunks": 3, **NOTE}))
    assert held(tmp_path) == [0, 1, 2]
    assert not LinkedRows.of(tmp_path).grows(np.arange(3))


def test_a_table_is_small(second: Path) -> None:
    table = ArrayFile.of(second / "rows.npy")
    assert table.data_bytes == 6 * 4
