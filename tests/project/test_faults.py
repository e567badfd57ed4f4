"""The table of faults is sorted by area, and each of its rows names tests that there are."""

import re

from tests.support.reference import REPOSITORY

TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")


def rows() -> list[list[str]]:
    text = (REPOSITORY / "docs" / "faults.md").read_text(encoding="utf-8")
    lines = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines[1:]]


def test_rows_are_sorted_and_name_tests_that_there_are() -> None:
    assert len(rows()) > 10
    areas = [row[0] for row in rows()]
    assert areas == sorted(areas)
    for row in rows():
        named = TEST.findall(row[-1])
        assert len(row) == 4, row
        assert named, row
        for path, test in named:
            text = (REPOSITORY / path).read_text(encoding="utf-8")
            assert f"def {test or 'test_'}" in text, f"{path}: {test}"
