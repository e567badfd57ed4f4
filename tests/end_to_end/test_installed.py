"""The installed command works beside the training packages, called from an unrelated folder."""

import json
import re
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import REPOSITORY, Running
from tests.support.heard import decode
from tests.support.music import write_music

SCRIPT = Path(sysconfig.get_path("scripts")) / "endlos"
PATIENCE_S = 300.0
"""For what is analysed and compiled on the way, on a machine that is busy."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home with nothing in it; demo songs that one test made are there for the next."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def elsewhere(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, in the environment of somebody who has just installed endlos."""
    for name in ("PYTHONPATH", "ENDLOS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    for name in ("DATA", "CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def installed(folder: Path, *words: str | Path, **environment: str) -> Running:
    return Running(*words, command=(str(SCRIPT),), folder=folder, **environment)


def hears(running: Running, seconds: float = 1.0) -> bool:
    """Whether anything is heard where it says that it serves."""
    printed = running.wait_for("serving http://", PATIENCE_S)
    address = re.search(r"serving (http://\S+)", printed)
    assert address
    with urllib.request.urlopen(f"{address[1]}stream.mp3", timeout=60) as stream:
        return bool(np.abs(decode(stream.read(round(seconds * 192_000 / 8)))[0]).max() > 0.01)


def test_it_imports_this_checkout(elsewhere: Path) -> None:
    """A folder `tools` without a face, as tf2onnx leaves one beside the packages, is not taken for ours."""
    code = "import model, stream, tools; print(model.__file__, stream.__file__, tools.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    expected = [str(REPOSITORY / package / "__init__.py") for package in ("model", "stream", "tools")]
    assert found == expected, "not installed from here; `make test` does that"
    assert SCRIPT.is_file()


def test_first_use_without_music_and_without_tensorflow(elsewhere: Path, home: Path, tmp_path: Path) -> None:
    """Demo songs are made, a pool is built, the carried model chooses; nothing of the user's is needed."""
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('playing needs TensorFlow')")
    with installed(elsewhere, "play", "--http", "127.0.0.1:0", PYTHONPATH=str(tmp_path)) as running:
        assert hears(running, 3.0)
        running.send(signal.SIGTERM)
        assert running.end() == 0
    assert len(list(home.rglob("demo-songs/*.flac"))) == 3
    assert not list(elsewhere.iterdir())


def test_music_is_heard(elsewhere: Path, tmp_path: Path, tiny_model: Path) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav"], seconds=20.0)
    with installed(elsewhere, "serve", music, "--http", "127.0.0.1:0", "--model", tiny_model) as running:
        assert hears(running)
        running.send(signal.SIGTERM)
        assert running.end() == 0


def test_the_benchmark_measures_what_it_makes_itself(elsewhere: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    words = ["bench", "--only", "render", "--quick", "--quiet", "--out", str(results)]
    for budget in ("least_model_times_real=0", "least_random_times_real=0", "beyond_encoder_cpu_s=1e9"):
        words += ["--budget", budget]
    with installed(elsewhere, *words) as running:
        assert running.end(2 * PATIENCE_S) == 0, running.printed()
    recorded = json.loads(results.read_text(encoding="utf-8"))
    assert all(figure["value"] > 0 for figure in recorded["figures"]["figures"])
