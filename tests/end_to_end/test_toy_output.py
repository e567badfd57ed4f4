"""The worked example of `docs/adding-an-output.md` is laid over a copy of the packages, and played to."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import COMMAND, REPOSITORY, Running, wait_until

MOST_LINES = 60


def blocks(language: str) -> list[str]:
    text = (REPOSITORY / "docs" / "adding-an-output.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def patched(text: str, diff: str) -> str:
    """Return a text with each `+` line after the line that stands before it in the diff."""
    lines, at = text.splitlines(), 0
    for line in diff.splitlines():
        if line.startswith("+"):
            at += 1
            lines.insert(at, line[1:])
        else:
            at = lines.index(line[1:])
    return "\n".join(lines) + "\n"


@pytest.fixture
def with_toy(tmp_path: Path) -> Path:
    """A copy of the packages with the toy in it."""
    for package in ("model", "stream", "tools"):
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    (code,), (diff,) = blocks("python"), blocks("diff")
    (tmp_path / "stream/outputs/kinds/toy.py").write_text(code, encoding="utf-8")
    registry = tmp_path / "stream/outputs/registry.py"
    registry.write_text(patched(registry.read_text(encoding="utf-8"), diff), encoding="utf-8")
    return tmp_path


def test_an_output_is_a_short_file_and_a_line() -> None:
    (code,), (diff,) = blocks("python"), blocks("diff")
    assert len(code.splitlines()) <= MOST_LINES
    assert not [line for line in diff.splitlines() if line.startswith("-")], "nothing that exists changes"


def test_the_toy_is_played_to_and_named_in_the_help(with_toy: Path, tiny_pool: Path) -> None:
    told = with_toy / "loud.txt"
    words = ("serve", tiny_pool, "--strategy", "random", "--output", f"toy:{told}")
    with Running(*words, folder=with_toy, PYTHONPATH=str(with_toy)) as running:
        running.wait_for(f"toy:{told}: playing")

        def seconds() -> float:
            return (
                sum(int(frames) for frames in re.findall(r"^(\d+) frames", told.read_text(), re.M)) / 44_100
            )

        wait_until(lambda: seconds() > 1.0, "a second of the stream")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        assert "Traceback" not in running.printed()
    lines = told.read_text().splitlines()
    assert re.fullmatch(r"title (one|two|three)", lines[0])
    assert max(float(line.rpartition(" ")[2]) for line in lines if "peak" in line) > 0.01
    shown = subprocess.run(
        [*COMMAND, "serve", "--help"],
        cwd=with_toy,
        env={**os.environ, "PYTHONPATH": str(with_toy)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "toy:PATH" in shown
