"""What live streams logged and recorded is there after whatever comes next, and can be replayed."""

import signal
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import Running, run_here
from tests.support.heard import decode
from tests.support.waiting import wait_until

BY_ANOTHER = "is written by another endlos; end that one, or "


def served(pool: Path, folder: Path) -> tuple[str | Path, ...]:
    output = f"file:{folder / 'night.flac'}"
    return ("serve", pool, "--strategy", "random", "--output", output, "--log", folder / "run.jsonl")


def wait_for_sound(running: Running, folder: Path) -> None:
    part = folder / f"night.flac.live.{running.pid}.part"
    wait_until(lambda: part.is_file() and part.stat().st_size > 1_000_000, "seconds of sound")


def replayed(pool: Path, log: Path, out: Path) -> bytes:
    assert run_here("render", pool, out, "--replay", log, "--quiet") == 0
    return out.read_bytes()


def test_every_run_keeps_its_log_and_its_recording(tiny_pool: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    log, night = folder / "run.jsonl", folder / "night.flac"
    with Running(*served(tiny_pool, folder)) as running:
        wait_for_sound(running, folder)
        running.send(signal.SIGKILL)
        running.end()
    with log.open("a") as cut_off:
        cut_off.write('{"n": 1000, "t_out')
    # A render into the same name removes what renders left, and nothing else.
    render = ("render", tiny_pool, night, "--strategy", "random", "--seconds", "1", "--quiet")
    assert run_here(*render) == 0
    night.unlink()
    killed = log.read_bytes()
    assert killed.startswith(b'{"n": 0')
    for end in ("killed", "finished"):
        with Running(*served(tiny_pool, folder)) as running:
            running.wait_for("the decision log that was there is kept as")
            wait_for_sound(running, folder)
            assert ("had written of" in running.printed()) == (end == "killed")
            running.send(signal.SIGTERM)
            assert running.end() == 0
            assert ("what was there before is kept as" in running.printed()) == (end == "finished")
            assert "Traceback" not in running.printed()
    logs, nights = sorted(folder.glob("run.2*.jsonl")), sorted(folder.glob("night.2*.flac"))
    incomplete = folder / "night.incomplete.flac"
    assert len(logs) == 2 and len(nights) == 1 and logs[0].read_bytes() == killed
    assert sorted(folder.iterdir()) == sorted([log, night, incomplete, *logs, *nights])
    out = tmp_path / "again.flac"
    for each, recording in zip((*logs, log), (incomplete, *nights, night), strict=True):
        again, heard = decode(replayed(tiny_pool, each, out))[0], decode(recording.read_bytes())[0]
        # But for the fade at its end.
        whole = len(heard) - 88_200
        assert whole > 0 and np.array_equal(heard[:whole], again[:whole])


def test_a_second_stream_into_the_same_log_or_file_is_refused_and_touches_nothing(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, other = tmp_path / "run.jsonl", tmp_path / "other.flac"
    same_log = ("--strategy", "random", "--log", log)
    with Running(*served(tiny_pool, tmp_path)) as running:
        wait_for_sound(running, tmp_path)
        there = sorted(tmp_path.iterdir())
        for words in (
            served(tiny_pool, tmp_path),
            ("serve", tiny_pool, "--output", f"file:{tmp_path / 'night.flac'}"),
            ("serve", tiny_pool, *same_log, "--output", f"file:{other}"),
            ("play", tiny_pool, *same_log, "--output", f"file:{other}"),
            ("render", tiny_pool, other, *same_log, "--seconds", "1"),
        ):
            assert run_here(*words) == 1
            said = capsys.readouterr().err.splitlines()
            assert BY_ANOTHER in said[-1] and "Traceback" not in "".join(said)
            assert sorted(tmp_path.iterdir()) == there
        assert log.read_bytes().startswith(b'{"n": 0')
        running.send(signal.SIGTERM)
        assert running.end() == 0
    assert sorted(tmp_path.iterdir()) == [tmp_path / "night.flac", log]
