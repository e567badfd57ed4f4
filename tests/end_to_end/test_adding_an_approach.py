"""The worked example of a new approach is carried out as it is written, in a copy of the packages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "adding-an-approach.md"
BLOCK = re.compile(r"^```(python|diff) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REGISTRY = "model/approaches/registry.py"
MOST_LINES = 60
"""Lines that are not blank, in the style of the formatter."""


def blocks() -> dict[str, tuple[str, str]]:
    """By the path of the file: the kind of the block, and what it says."""
    return {path: (kind, text) for kind, path, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with the example laid in."""
    place = tmp_path_factory.mktemp("copy")
    for package in ("model", "stream", "tools"):
        # Without caches: tests beside this one write there, and compiled kernels hold for one folder alone.
        shutil.copytree(REPOSITORY / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, (kind, text) in blocks().items():
        file = place / path
        if kind == "python":
            assert not file.exists()
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            before = "".join(line[1:] + "\n" for line in text.splitlines() if not line.startswith("+"))
            after = "".join(line[1:] + "\n" for line in text.splitlines() if not line.startswith("-"))
            whole = file.read_text(encoding="utf-8")
            assert whole.count(before) == 1, before
            file.write_text(whole.replace(before, after), encoding="utf-8")
    return place


def endlos(copy: Path, *words: str | Path, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tools.cli", *map(str, words)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def test_the_example_is_short_and_touches_one_line() -> None:
    found = blocks()
    (changed,) = (path for path, (kind, _) in found.items() if kind == "diff")
    assert changed == REGISTRY
    touched = [line for line in found[changed][1].splitlines() if line[0] in "+-"]
    assert len(touched) == 1
    code = [text for kind, text in found.values() if kind == "python"]
    added = sum(bool(line.strip()) for text in code for line in text.splitlines())
    assert added + len(touched) <= MOST_LINES


def test_the_example_trains_a_step_is_exported_and_plays(copy: Path, tiny_pool: Path, tmp_path: Path) -> None:
    shown = " ".join(endlos(copy, "train", "--help").split())
    assert "level: whether both sides of a cut are as loud" in shown and "level: fast (seconds)" in shown
    model = tmp_path / "model"
    words = ("train", tiny_pool, "--out", model, "--approach", "level", "--epochs", "1", "--json")
    report = json.loads(endlos(copy, *words))
    assert report["epochs"] == 1 and report["export_difference"] <= 1e-5
    contract = json.loads((model / "model.json").read_text())
    assert (contract["approach"], contract["scoring"], contract["features"]) == ("level", "pairs", "edges")
    assert contract["training"]["versions"]["tf2onnx"]
    log = tmp_path / "log.jsonl"
    out = tmp_path / "out.wav"
    endlos(copy, "render", tiny_pool, out, "--model", model, "--seconds", "1", "--log", log)
    assert out.stat().st_size > 4 * 44_100
    # An option that it does not have is refused with the name of the approach that has it.
    words = ("train", tiny_pool, "--out", model, "--approach", "level", "--optimizer", "sgd")
    refused = " ".join(endlos(copy, *words, code=2).split())
    assert "--optimizer goes with --approach binary only, not with level" in refused
