"""Whatever takes a model takes a folder or a carried model's name, through one function."""

from pathlib import Path

import pytest

from model.base.errors import ModelError
from model.saved.contract import carried_model
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

    for module in ("model.saved.contract", "tools.training.lessons"):
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


def test_stages_take_a_carried_name(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stages.fit_from_command_line([str(tiny_pool), "tower", "tower"])
    # Both were found; they keep the same songs back.
    assert "another one does not know either" in capsys.readouterr().err
