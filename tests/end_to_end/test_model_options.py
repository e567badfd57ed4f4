"""Whatever takes a model takes a folder or a carried model's name, through one function."""

import json
from pathlib import Path

import pytest

from model.base.errors import ModelError
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from tests.support.commands import run_here
from tools.quality.ranking import stages

COMMANDS = (
    ("eval", "POOL", "--model"),
    ("eval", "POOL", "--beside"),
    ("precompute", "POOL", "--model"),
    ("bench", "POOL", "--only", "render", "--model"),
    ("render", "POOL", "out.wav", "--seconds", "1", "--model"),
    ("play", "POOL", "--http", "127.0.0.1:0", "--model"),
    ("serve", "POOL", "--http", "127.0.0.1:0", "--model"),
    ("joins", "POOL", "--model"),
    ("train", "POOL", "--out", "out", "--from"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_asks_the_one_function(
    words: tuple[str, ...],
    tiny_pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Path | None] = []

    def chosen(choice: Path | None) -> Path:
        asked.append(choice)
        if choice == Path("the-one"):
            raise ModelError("asked for the one")
        return carried_model()

    for module in ("model.saved.carried", "tools.training.lessons"):
        monkeypatch.setattr(f"{module}.chosen_model", chosen)
    monkeypatch.chdir(tmp_path)
    assert run_here(*(str(tiny_pool) if word == "POOL" else word for word in words), "the-one") == 1
    assert "asked for the one" in capsys.readouterr().err
    assert Path("the-one") in asked


def test_a_carried_name_is_scored_and_rendered(
    tiny_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_here("eval", tiny_pool, "--model", "tower", "--scores", "scores.npy") == 0
    assert run_here("render", tiny_pool, "out.wav", "--model", "tower", "--seconds", "1") == 0


def test_the_carried_buckets_are_walked_through(
    tiny_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("render", tiny_pool, "out.wav", "--seconds", "6", "--walk")
    assert run_here(*words, "--model", "categorical", "--log", "log.jsonl") == 0
    # The last line is the stop.
    *lines, _ = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    walk = load_contract(carried_model("categorical")).walk
    assert walk is not None and len(lines) > 1
    assert all(line["walk"]["bucket"] == walk[line["walk"]["place"]] for line in lines)
    assert run_here(*words, "--model", "tower") == 1
    assert "the model sorts nothing into buckets" in " ".join(capsys.readouterr().err.split())
    assert run_here(*words, "--model", "categorical", "--strategy", "random") == 1
    assert "strategy random walks through no buckets" in " ".join(capsys.readouterr().err.split())


def test_stages_take_a_carried_name(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stages.fit_from_command_line([str(tiny_pool), "tower", "tower"])
    # Both were found; they keep the same songs back.
    assert "another one does not know either" in capsys.readouterr().err
