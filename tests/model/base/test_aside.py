"""Who writes a line aside never waits; what nobody takes is counted, and what is taken is in order."""

import threading

from model.base.aside import LinesAside
from tests.support.waiting import PATIENCE_S, wait_until


def test_lines_are_written_in_order_and_all_of_them_at_the_end() -> None:
    found: list[str] = []
    lines = LinesAside(found.append, "lines")
    for number in range(500):
        assert lines.put(str(number))
    assert lines.close() and found == [str(number) for number in range(500)]


def test_what_nobody_takes_is_lost_and_told_and_nobody_waits() -> None:
    taken, goes_on, found = threading.Event(), threading.Event(), list[str]()

    def write(line: str) -> None:
        taken.set()
        goes_on.wait()
        found.append(line)

    lines = LinesAside(write, "lines", lost=lambda count: found.append(f"{count} lost"), most=3)
    assert lines.put("one") and taken.wait(PATIENCE_S)
    assert [lines.put(str(number)) for number in range(5)] == [True, True, True, False, False]
    assert not lines.close(0.01), "it is not waited for"
    goes_on.set()
    wait_until(lambda: found[-1:] == ["2 lost"], "it is told what is missing")
    assert lines.put("again") and lines.close(PATIENCE_S)
    assert found == ["one", "0", "1", "2", "2 lost", "again"]
