"""What is ended by a signal, by force, or by a limit of its format loses nothing without a word."""

import signal
from pathlib import Path

import pytest

from tests.support.commands import Running, run_here
from tests.support.music import quick_settings, write_music
from tests.support.waiting import wait_until
from tools.pools.build import build_pool

LONG = ("--seconds", "80000", "--quiet", "--strategy", "random")


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_render_that_a_signal_ends_leaves_nothing_half_written(
    tiny_pool: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out.flac"
    with Running("render", tiny_pool, out, *LONG) as running:
        wait_until(lambda: any(part.stat().st_size > 100_000 for part in parts(tmp_path)), "some sound")
        running.send(number)
        assert running.end() == 128 + number
        assert running.printed().splitlines() == [f"endlos: stopped; {out} was not written"]
    assert list(tmp_path.iterdir()) == []


def test_a_composition_that_ctrl_c_ends_says_so(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> list[object]:
        raise KeyboardInterrupt

    monkeypatch.setattr("stream.choosing.greedy.greedy_steps", interrupted)
    out = tmp_path / "out.flac"
    assert run_here("compose", tiny_pool, out, "--length", "2", "--quiet") == 130
    assert capsys.readouterr().err == f"endlos: stopped; {out} was not written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_ctrl_c_ends_keeps_what_was_analysed_and_says_so(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "pool"
    write_music(music, [f"{number}.wav" for number in range(60)], seconds=10.0)
    words = ("pool", "build", music, "--out", out, "--jobs", "1")
    with Running(*words, "--quiet") as running:
        wait_until(lambda: any(out.glob("analysis/*.npy")), "a song is analysed")
        running.send(signal.SIGINT)
        assert running.end() == 128 + signal.SIGINT
        said = "endlos: stopped; what was analysed is kept, and the same command goes on"
        assert running.printed().splitlines() == [said]


def test_what_a_killed_render_left_goes_with_the_next(tiny_pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "out [1].flac"
    with Running("render", tiny_pool, out, *LONG) as running:
        wait_until(lambda: len(parts(tmp_path)) == 1, "its part")
        running.send(signal.SIGKILL)
        assert running.end() == -signal.SIGKILL
    assert len(parts(tmp_path)) == 1
    # Of another file, and of one who is at it.
    others = [tmp_path / "other.flac.1.part", tmp_path / "out [1].flac.1.part"]
    for other in others:
        other.touch()
    assert run_here("render", tiny_pool, out, "--seconds", "1", "--strategy", "random", "--quiet") == 0
    assert sorted(tmp_path.iterdir()) == sorted([out, *others])


def test_a_wav_that_would_be_too_long_is_refused_before_it_begins(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--seconds", "20000", "--strategy", "random", "--quiet")
    assert run_here("render", tiny_pool, tmp_path / "out.wav", *words) == 1
    assert "would be longer than 4 GiB, where a .wav file ends; write a .flac file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_sigterm_ends_goes_on_from_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_music(tmp_path / "music", [f"{name}.wav" for name in "abcd"], seconds=30.0)
    build_pool([tmp_path / "music"], tmp_path / "pool", quick_settings())
    out = tmp_path / "model"
    words = (
        *("train", tmp_path / "pool", "--out", out, "--approach", "binary"),
        *("--edge-samples", "64", "--batch-size", "8"),
    )
    assert run_here(*words, "--resume") == 1
    assert "holds no checkpoint to go on from" in capsys.readouterr().err
    with Running(*words, "--epochs", "2000") as running:
        running.wait_for("epoch 1:")
        running.send(signal.SIGTERM)
        assert running.end() == 128 + signal.SIGTERM
        assert "its checkpoint is in" in running.printed() and "--resume" in running.printed()
    with Running(*words, "--epochs", "2000", "--resume") as running:
        assert "epoch 1:" not in running.wait_for("epoch ")
        running.send(signal.SIGTERM)
        assert running.end() == 128 + signal.SIGTERM
