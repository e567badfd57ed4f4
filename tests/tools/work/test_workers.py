"""Worker processes bring every item back, and one that dies takes no other with it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest

from tests.support.waiting import PATIENCE_S
from tools.interrupts import signals_as_interrupts
from tools.work.workers import Crashed, Room, interrupts_held, run_all

NO_ROOM: Room = lambda name, size: False  # noqa: E731


def work(item: int, room: Room) -> int:
    """Square; 13 ends the process, 14 raises, 100 and up ask for room."""
    if item == 13:
        os._exit(3)
    if item == 14:
        raise ValueError("fourteen")
    if item >= 100:
        return int(room("name", item))
    return item * item


def hears_interrupts(item: int, room: Room) -> bool:
    """Tell whether this process was started so that it hears Ctrl-C."""
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_every_item_comes_back_with_its_result() -> None:
    items = list(range(12))
    assert dict(run_all(work, items, 2, NO_ROOM)) == {item: item * item for item in items}


def test_a_crash_names_its_item_and_the_rest_goes_on() -> None:
    results = dict(run_all(work, [13, 1, 14, 2, 3], 2, NO_ROOM))
    crashed = results.pop(13)
    raised = results.pop(14)
    assert isinstance(crashed, Crashed)
    assert crashed.reason == "working on it ended the worker process (exit code 3)"
    assert raised == Crashed(reason="ValueError: fourteen")
    assert results == {1: 1, 2: 4, 3: 9}


def test_in_this_process_an_exception_names_its_item_too() -> None:
    results = dict(run_all(work, [14, 3], 1, NO_ROOM))
    assert results == {14: Crashed(reason="ValueError: fourteen"), 3: 9}


def test_in_this_process_an_interrupt_is_no_fault_of_an_item() -> None:
    def interrupted(item: int, room: Room) -> None:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    with pytest.raises(ImportError):
        list(run_all(interrupted, [1, 2], 1, NO_ROOM))


def test_ctrl_c_is_for_the_parent_and_no_worker_hears_it_as_it_begins() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tests.tools.work.test_workers import NO_ROOM, hears_interrupts\n"
            "from tools.work.workers import run_all\n"
            "import signal\n"
            "told = [result for _, result in run_all(hears_interrupts, [1, 2, 3], 2, NO_ROOM)]\n"
            "print(told, hears_interrupts(0, NO_ROOM))\n",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.split() == ["[False,", "False,", "False]", "True"], done.stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_parent_decides_about_room(jobs: int) -> None:
    asked: list[tuple[str, int]] = []

    def room(name: str, size_bytes: int) -> bool:
        asked.append((name, size_bytes))
        return size_bytes < 150

    assert dict(run_all(work, [100, 200], jobs, room)) == {100: 1, 200: 0}
    assert sorted(asked) == [("name", 100), ("name", 200)]


def test_closing_early_leaves_no_process() -> None:
    with closing(run_all(work, list(range(50)), 2, NO_ROOM)) as results:
        next(results)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("number", "usual"), [(signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)]
)
def test_an_interrupt_amid_a_start_comes_after_it(
    number: signal.Signals, usual: Callable[[int, FrameType | None], None] | signal.Handlers
) -> None:
    through = False
    # Tests that run side by side ignore the first.
    before = signal.signal(number, usual)
    try:
        with signals_as_interrupts() as came, pytest.raises(KeyboardInterrupt), interrupts_held():
            os.kill(os.getpid(), number)
            # By now its handler has run.
            time.sleep(0.01)
            through = True
        assert through and came == [number]
        assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, before)


def test_nothing_to_do_starts_nothing() -> None:
    assert list(run_all(work, [], 2, NO_ROOM)) == []


def test_a_script_that_cannot_be_imported_again_gets_one_sentence(tmp_path: Path) -> None:
    # Without the __main__ guard a spawned worker would start workers itself; multiprocessing stops that.
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from tests.tools.work.test_workers import NO_ROOM, work\n"
        "from tools.work.workers import run_all\n"
        "from model.base.errors import PoolError\n"
        "import multiprocessing\n"
        "try:\n"
        "    print(list(run_all(work, [1, 2, 3], 2, NO_ROOM)))\n"
        "except PoolError as error:\n"
        "    print('sentence:', error)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "sentence: worker processes cannot be started" in done.stdout
