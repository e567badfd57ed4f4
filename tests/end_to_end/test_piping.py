"""Standard output is the stream and nothing else where it is asked for, and ends with its reader."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.commands import COMMAND, REPOSITORY, Running, run_here
from tests.support.real import require_real
from tests.support.waiting import PATIENCE_S

SECONDS = 2


@pytest.mark.parametrize("command", ["serve", "play"])
def test_standard_output_is_the_stream_and_nothing_else_and_ends_with_its_reader(
    tiny_pool: Path, tmp_path: Path, command: str
) -> None:
    rendered = tmp_path / "rendered.wav"
    choice = ("--strategy", "random", "--seed", "3")
    assert (
        run_here("render", tiny_pool, rendered, "--seconds", str(SECONDS + 1), "--bits", "16", *choice) == 0
    )
    words = [*COMMAND, command, str(tiny_pool), *choice, "--output", "pipe:-"]
    with subprocess.Popen(
        words, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        data = running.stdout.read(SECONDS * 44_100 * 4)
        running.stdout.close()
        told = running.stderr.read().decode()
        assert running.wait(PATIENCE_S) == 0
    assert told.count("pipe:- has ended: who read standard output has gone") == 1
    assert "Traceback" not in told
    expected, _ = soundfile.read(rendered, dtype="int16")
    assert np.array_equal(np.frombuffer(data, "<i2").reshape(-1, 2), expected[: SECONDS * 44_100])


def test_another_program_takes_it(tiny_pool: Path, tmp_path: Path) -> None:
    require_real("no ffmpeg: install it by apt", shutil.which("ffmpeg") is not None)
    words = [*COMMAND, "serve", str(tiny_pool), "--strategy", "random", "--output", "pipe:-?format=wav"]
    encoding = f"ffmpeg -v error -i - -t {SECONDS} out.flac".split()
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        done = subprocess.run(
            encoding, cwd=tmp_path, stdin=running.stdout, check=True, stderr=subprocess.PIPE
        )
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        assert "Traceback" not in running.stderr.read().decode()
        assert running.wait(PATIENCE_S) == 0
    assert not done.stderr
    sound, rate_hz = soundfile.read(tmp_path / "out.flac")
    assert rate_hz == 44_100 and len(sound) == SECONDS * rate_hz and np.abs(sound).max() > 0.01


def test_a_terminal_is_no_program(tiny_pool: Path) -> None:
    with Running("serve", tiny_pool, "--output", "pipe:-", terminal=True) as running:
        assert running.end() == 1
        told = " ".join(running.printed().split())
    assert "standard output is a terminal; expected a program behind it" in told
