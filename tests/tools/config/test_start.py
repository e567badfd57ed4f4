"""The command line goes before variables, these before the file, and that before the defaults."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stream.choosing.settings import PlannerSettings
from tests.support.commands import run_here
from tools.config.file import CONFIG_VARIABLE


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "endlos.toml"
    path.write_text(
        '[serve]\nsource = "/file"\nrate = 48000\nseed = 7\nforce = true\ncodec = ["mp3", "opus"]\n'
        'output = ["icecast://source:hid%2Fden@host:8000/x.mp3"]\n[render]\njson = true\n'
    )
    path.chmod(0o600)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Any:
    assert run_here(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_each_option_says_what_it_is_and_whence(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDLOS_SERVE_SEED", "8")
    monkeypatch.setenv("ENDLOS_SERVE_FORCE", "0")
    monkeypatch.setenv("ENDLOS_SERVE_ICECAST", "icecast://a@h/1.mp3 icecast://a@h/2.mp3")
    monkeypatch.setenv("ENDLOS_ICECAST_PASSWORD", "hidden-0815")
    expected = {
        "source": ("/music", "flag"),
        "fade-s": (2.0, "flag"),
        "rate": (44100, "flag"),
        "seed": (8, "environment"),
        "force": (False, "environment"),
        "icecast": (["icecast://a@h/1.mp3", "icecast://a@h/2.mp3"], "environment"),
        "codec": (["mp3", "opus"], "file"),
        "output": (["icecast://source:***@host:8000/x.mp3"], "file"),
        "http": (None, "default"),
        "other-songs": (PlannerSettings.other_songs, "default"),
    }
    found = told(capsys, "--config", config, "config", "serve", "/music", "--fade-s", "2", "--rate", "44100")
    serve = found["commands"]["serve"]
    assert {key: (serve[key]["value"], serve[key]["source"]) for key in expected} == expected
    assert found["secrets"] == {"ENDLOS_ICECAST_PASSWORD": "***"}
    assert found["file"] == str(config)


def test_without_a_command_it_shows_what_is_set(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("config", f"--config={config}") == 0
    shown = capsys.readouterr().out
    assert "[serve]" in shown and "[render]" in shown and "[play]" not in shown
    assert "ENDLOS_SERVE_SEED" in shown and "hid" not in shown and "other-songs" not in shown
    assert "ENDLOS_RENDER_JSON" in shown


def test_a_variable_that_nothing_reads_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDLOS_SERVE_HTPP", "8000")
    assert run_here("config") == 0
    assert "ENDLOS_SERVE_HTPP (did you mean ENDLOS_SERVE_HTTP?)" in capsys.readouterr().err


def test_a_wrong_variable_is_one_sentence_whatever_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDLOS_SERVE_OTHER_SONGS", "half")
    assert run_here("doctor") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the variable ENDLOS_SERVE_OTHER_SONGS is 'half'" in line


def test_a_command_takes_what_the_file_says_and_the_line_goes_before_it(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "endlos.toml"
    config.write_text(
        f'[render]\npool = "{tiny_pool}"\nmodel = "{tiny_model}"\nseconds = 2\nseed = 5\njson = true\n'
    )
    written = tmp_path / "a.wav"
    assert run_here("render", tiny_pool, written, "--config", config, "--seconds", "1") == 0
    # What it prints is JSON, as the file asks.
    assert json.loads(capsys.readouterr().out)
    import soundfile

    assert soundfile.info(str(written)).duration == pytest.approx(1.0, abs=0.01)


def test_what_is_started_reads_the_same_file_and_nothing_stays(config: Path) -> None:
    before = os.environ.get(CONFIG_VARIABLE)
    import typer

    from tools.app import app
    from tools.config.start import configured

    with configured(typer.main.get_command(app), ["--config", str(config), "devices"]) as line:
        assert os.environ[CONFIG_VARIABLE] == str(config)
        assert line.words == ["devices"]
    assert os.environ.get(CONFIG_VARIABLE) == before


def test_help_comes_whatever_is_wrong_with_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "endlos.toml"
    config.write_text("[serve\n")
    for words in (("serve", "--help"), ("config", "--example", "serve"), ("--version",)):
        assert run_here("--config", config, *words) == 0
    capsys.readouterr()
    assert run_here("--config", config, "devices") == 1
    assert run_here("devices", "--config") == 1
    assert "names no file" in capsys.readouterr().err


def test_a_word_behind_two_dashes_is_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("pool", "info", "--", "--config") == 1
    assert "--config" in capsys.readouterr().err


def test_arguments_and_flags_of_another_name_have_variables_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDLOS_POOL_INFO_POOL", "/a/pool")
    monkeypatch.setenv("ENDLOS_POOL_INFO_JSON", "1")
    info = told(capsys, "config", "pool", "info")["commands"]["pool.info"]
    assert (info["pool"]["value"], info["pool"]["source"]) == ("/a/pool", "environment")
    assert (info["json"]["value"], info["json"]["source"]) == (True, "environment")


def test_no_other_variable_sets_anything_or_is_named_in_a_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HELP", "SHOW_VERSION", "CONFIG_FILE", "POOL_HELP", "POOL_INFO_HELP", "POOL_INFO_AS_JSON"):
        monkeypatch.setenv(f"ENDLOS_{name}", "1")
    info = told(capsys, "config", "pool", "info")
    assert info["commands"]["pool.info"]["json"]["value"] is False
    assert "ENDLOS_HELP" in info["unknown_variables"]
    assert run_here("pool", "info", "/nowhere") == 1
    assert "/nowhere is not a pool" in capsys.readouterr().err
    for words in ((), ("pool",), ("pool", "info")):
        assert run_here(*words, "--help") == 0
        assert "env var" not in capsys.readouterr().out


def test_a_group_is_all_its_commands_and_a_wrong_name_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {"pool.build", "pool.info", "pool.check"} <= set(told(capsys, "config", "pool")["commands"])
    for words, guess in ((("sreve",), "serve"), (("pool", "bulid"), "pool build")):
        assert run_here("config", *words) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"there is no command {' '.join(words)} (did you mean {guess}?)" in line
