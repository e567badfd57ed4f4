"""The command line keeps what scripts rely on, from commands and exit codes to how fast help comes."""

import errno
import inspect
import json
import os
import sqlite3
import stat
import typing
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

from model.approaches.registry import APPROACHES
from model.base.arrays import FloatArray
from model.base.errors import DecodeError, OutputError, PoolError, StoppedError
from model.learning.settings import TrainSettings
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from stream.engine.engine import Engine
from stream.pool.pool import Failure
from tests.support.commands import run_apart, run_here
from tests.support.music import write_music
from tools.app import app
from tools.cli import main
from tools.commands import pool, pool_words, train
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings
from tools.terminal import sentence

CONTRACT = {
    "demo-songs",
    "pool build",
    "pool info",
    "pool check",
    "train",
    "render",
    "play",
    "serve",
    "devices",
    "doctor",
}
"""Commands that scripts rely on; there may be more."""


def registered(typer_app: typer.Typer) -> list[str]:
    """Return every command with its group before it."""
    names = [
        command.name or command.callback.__name__
        for command in typer_app.registered_commands
        if command.callback is not None
    ]
    for group in typer_app.registered_groups:
        assert group.typer_instance is not None
        names += [f"{group.name} {name}" for name in registered(group.typer_instance)]
    return names


COMMANDS = registered(app)


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that was printed on standard error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("endlos: ")
    return lines[0]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("--help") == 0
    shown = capsys.readouterr().out
    for command in {name.split()[0] for name in COMMANDS}:
        assert f"\n  {command} " in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_every_option(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run_here(*name.split(), "--help") == 0
    shown = capsys.readouterr().out
    assert f"Usage: endlos {name}" in shown
    for line in shown.partition("Options:")[2].partition("\n\n")[0].strip().splitlines():
        assert len(line.split("  ")) > 1, f"no help for: {line}"


def test_the_commands_of_the_contract_are_there() -> None:
    assert set(COMMANDS) >= CONTRACT


def defaults(command: typing.Callable[..., None]) -> dict[str, object]:
    return {name: option.default for name, option in inspect.signature(command).parameters.items()}


def test_the_defaults_are_those_of_the_settings() -> None:
    """A default is repeated for `--help` only, so that nothing heavy is imported there."""
    given, cut, build = defaults(pool.build), CutSettings(), BuildSettings()
    for field in fields(CutSettings):
        assert given[field.name] == getattr(cut, field.name), field.name
    for name in ("edge_s", "decoded_cache_gib"):
        assert given[name] == getattr(build, name), name


def test_every_setting_of_every_approach_is_an_option_of_train(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = defaults(train.train)
    assert given["approach"] == load_contract(carried_model()).approach
    assert given["preset"] == TrainSettings().preset
    monkeypatch.setenv("COLUMNS", "200")
    assert run_here("train", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    for approach in APPROACHES.values():
        assert f"{approach.name}: {approach.summary}" in shown
        for name, preset in approach.presets.items():
            assert f"{name} ({preset.summary})" in shown
            assert approach.asked(name) == approach.settings(preset=name)
        for setting in fields(approach.settings):
            # `preset` chooses among the approach's own; `pretrained` says whether there is a --from.
            if setting.name in ("preset", "pretrained"):
                continue
            told = {getattr(one.settings(), setting.name, None) for one in APPROACHES.values()}
            assert given[setting.name] == (told.pop() if len(told) == 1 else None), setting.name
            assert f"--{setting.name.replace('_', '-')} " in shown
    # What presets take is told where it is not given, worked out here by hand.
    for option, text in {
        "--epochs": "tower: fast 10, best 28; binary: seed 600, fast 30",
        "--evaluate-every": "tower: 2; binary: 1",
        "--optimizer": "What learns (binary). [default: (binary: seed rmsprop, fast adam)]",
        "--edge-samples": "binary: seed the shortest chunk, fast 1260",
    }.items():
        assert text in shown.partition(f" {option} ")[2].partition(" --")[0], option


@pytest.mark.parametrize("approach", list(APPROACHES))
def test_what_is_not_given_is_left_to_the_settings(approach: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TrainSettings] = []

    def stop(approach: object, pool: Path, out: Path, settings: TrainSettings, **_: object) -> None:
        asked.append(settings)
        raise PoolError("seen enough")

    monkeypatch.setattr("tools.training.lessons.train_model", stop)
    kind = APPROACHES[approach].settings
    for words, expected in (((), kind()), (("--evaluate-every", "5"), kind(evaluate_every=5))):
        assert run_here("train", "pool", "--out", "model", "--approach", approach, *words) == 1
        assert asked.pop() == expected


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert run_here("--version") == 0
    assert capsys.readouterr().out == f"endlos {version('endlos')}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("render",),
        ("render", "pool", "out.wav"),
        ("render", "pool", "out.wav", "--seconds", "soon"),
        ("render", "pool", "out.wav", "--seconds", "1", "--strategy", "best"),
        ("pool", "build", "music"),
        ("pool", "build", "music", "--out", "pool", "--cut", "beat-less"),
        ("pool", "build", "music", "--out", "pool", "--no-such-option"),
        ("train", "pool", "--out", "model", "--optimizer", "hope"),
        ("demo-songs", "folder", "--songs", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(*words) == 2
    assert "Usage: endlos" in capsys.readouterr().err


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here() == 2
    shown = capsys.readouterr()
    assert "demo-songs" in shown.out + shown.err


# Errors become one sentence.


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PoolError("what; do that"), "what; do that"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "no room left on the disk for a/b"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), "no permission for a/b"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a/b"), "a/b: No such file"),
        (ZeroDivisionError("by zero"), "unexpected ZeroDivisionError: by zero"),
    ],
)
def test_sentences(error: Exception, expected: str) -> None:
    assert sentence(error).startswith(expected)
    assert "\n" not in sentence(error)


def test_an_error_is_a_sentence_and_debug_shows_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("pool", "info", tmp_path / "none") == 1
    assert "is not a pool" in error_line(capsys)
    for words in (("--debug", "pool", "info"), ("pool", "--debug", "info"), ("pool", "info", "--debug")):
        with pytest.raises(PoolError):
            main([*words, str(tmp_path / "none")])


def test_debug_after_two_dashes_is_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("pool", "info", "--", "--debug") == 1
    assert "--debug is not a pool" in error_line(capsys)


def test_ctrl_c_exits_130_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> list[object]:
        raise KeyboardInterrupt

    monkeypatch.setattr("stream.outputs.devices.list_devices", interrupted)
    assert run_here("devices") == 130
    assert "Traceback" not in capsys.readouterr().err


def test_an_interruption_that_has_something_to_say_exits_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> list[object]:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise StoppedError("stopped; go on with --resume") from None

    monkeypatch.setattr("stream.outputs.devices.list_devices", interrupted)
    assert run_here("devices") == 130
    assert error_line(capsys) == "endlos: stopped; go on with --resume"


def test_what_a_library_makes_of_an_interrupt_is_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module in C whose start is interrupted raises `ImportError`, which looks like a missing package."""

    def imported() -> list[object]:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    def opened() -> list[object]:
        try:
            return imported()
        except ImportError as error:
            raise OutputError("there is no sound card") from error

    monkeypatch.setattr("stream.outputs.devices.list_devices", opened)
    assert run_here("devices") == 130
    assert capsys.readouterr().err == ""


def test_what_may_not_be_read_is_no_wrong_usage(
    tiny_pool: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: object, *others: object, **how: object) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "access", lambda *asked, **how: False)
    monkeypatch.setattr("tools.pools.summary.open_pool", refused)
    assert run_here("pool", "info", tiny_pool) == 1
    assert error_line(capsys).startswith(f"endlos: no permission for {tiny_pool}")


def test_a_pool_that_the_carried_model_cannot_play_is_told_as_it_is_built(
    tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tiny_music, tmp_path / "pool", "--edge-s", "0.05") == 0
    assert "cannot be played with the carried model, which looks at 0.35 s" in error_line(capsys)


# Pools.


def build(music: Path, out: Path, *words: str) -> int:
    return run_here(
        "pool", "build", music, "--out", out, "--jobs", "1", "--cut", "equal", "--chunk-s", "2", *words
    )


def test_pool_build_tells_what_it_did_and_fails_for_a_bad_file(
    tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for song in tiny_music.iterdir():
        (music / song.name).symlink_to(song)
    out = tmp_path / "pool"
    assert build(music, out) == 0
    shown = capsys.readouterr()
    assert "3 songs, 9 chunks, 0:18 of music" in shown.out
    assert "3 songs: equal chunks of 2 s" in shown.out
    assert shown.err == ""

    (music / "text.mp3").write_text("no music at all")
    soundfile.write(music / "silent.wav", np.zeros((44_100, 2)), 44_100)
    assert build(music, out) == 1
    shown = capsys.readouterr()
    assert "3 songs, 9 chunks" in shown.out
    assert "kept 3" in shown.out
    failed, skipped = (
        next(line for line in shown.err.splitlines() if kind in line) for kind in ("failed", "skipped")
    )
    assert "text.mp3" in failed
    assert "silent.wav" in skipped
    assert "endlos: 1 file could not be read" in shown.err

    real_walk = os.walk

    def walk(top: Path, **how: Any) -> Iterator[Any]:
        how["onerror"](PermissionError(errno.EACCES, "Permission denied", str(music / "locked")))
        return real_walk(top, **how)

    (music / "locked").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "walk", walk)
        assert build(music, out) == 1
    assert "endlos: 1 file and 1 folder could not be read" in capsys.readouterr().err

    (music / "text.mp3").unlink()
    assert build(music, out, "--json") == 0, "a skipped file is no failure"
    report = json.loads(capsys.readouterr().out)
    assert report["songs"] == 3
    assert [Path(entry["path"]).name for entry in report["skipped"]] == ["silent.wav"]
    assert build(music, out, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_quiet_songs_are_grouped() -> None:
    from tests.support.music import tune
    from tools.songs.cut import cut_song

    loud = np.clip(4 * tune(8.0, 1), -1, 1)
    cuts = [
        (name, cut_song(audio, 22_050, CutSettings(chunk_s=2.0)).note)
        for name, audio in {"loud": loud, "a": 0.02 * loud, "b": 0.05 * loud}.items()
    ]
    lines = pool_words.cut_groups(cuts)
    assert lines[0] == "1 song: silence at -16 dBFS"
    assert lines[1].startswith("2 quiet songs: -16 dBFS would call most of it silent")
    assert len(lines) == 2


def test_many_broken_files_are_named_by_what_is_wrong_with_them() -> None:
    broken = [
        Failure(path=Path(f"{number}.wav"), kind="failed", reason=f"it is {'short' if number % 3 else 'odd'}")
        for number in range(8)
    ]
    lines = pool_words.refusals_told(broken)
    assert [line for line in lines if "odd" in line] == [f"failed: {n}.wav: it is odd" for n in (0, 3, 6)]
    assert lines[3:] == ["failed, 5 files: it is short", *(f"    {n}.wav" for n in (1, 2, 4, 5, 7))]
    few = pool_words.refusals_told(broken, most=4)
    assert few[:-1] == lines[:-1] and few[-1] == "    and 1 more; `endlos pool info` names them all"
    assert pool_words.refusals_told(broken, most=5) == lines


def test_reasons_that_differ_in_numbers_alone_are_one() -> None:
    short = [
        Failure(path=Path(f"{n}.wav"), kind="skipped", reason=f"{1.7 / n:.2f} s audible, not 2 s")
        for n in range(1, 6)
    ]
    told = pool_words.refusals_told(short, most=2)
    assert told == [
        "skipped, 5 files such as: 1.70 s audible, not 2 s",
        *("    1.wav", "    2.wav"),
        "    and 3 more; `endlos pool info` names them all",
    ]
    assert pool_words.refusals_told(short[:2])[1] == "skipped: 2.wav: 0.85 s audible, not 2 s"


def test_pool_info_json_is_the_contract(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("pool", "info", tiny_pool, "--chunks", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert len(summary["songs"]) == 3
    assert len(summary["chunks"]) == 9
    for chunk in summary["chunks"]:
        assert set(chunk) == {"song", "start_s", "end_s"}
    # In index order: each song's chunks tile it.
    for before, after in zip(summary["chunks"][:-1], summary["chunks"][1:], strict=True):
        assert after["song"] != before["song"] or after["start_s"] == before["end_s"]
    assert run_here("pool", "info", tiny_pool, "--json") == 0
    assert "chunks" not in json.loads(capsys.readouterr().out)


def test_pool_info_for_people(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("pool", "info", tiny_pool, "--chunks") == 0
    shown = capsys.readouterr().out
    assert "3 songs, 0:18 of music, 9 chunks" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["0", "one.wav#1", "0.000", "2.000"] in lines and ["5", "three.flac#3", "4.000", "6.000"] in lines


def test_a_folder_that_never_held_music_is_told_as_that(
    tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "pool"
    pictures.mkdir()
    assert build(tiny_music, out, str(pictures)) == 1
    told = capsys.readouterr().err
    assert f"missing: {pictures} holds no music" in told and "or without that folder" in told
    assert "the pool had" not in told and "--remove" not in told


def test_pool_check(tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = tmp_path / "music"
    music.mkdir()
    (music / "one.wav").write_bytes((tiny_music / "one.wav").read_bytes())
    out = tmp_path / "pool"
    assert build(music, out, "--quiet") == 0
    assert run_here("pool", "check", out) == 0
    assert "is sound" in capsys.readouterr().out
    (music / "one.wav").unlink()
    assert run_here("pool", "check", out, "--json") == 1
    shown = capsys.readouterr()
    assert "one.wav" in json.loads(shown.out)["problems"][0]
    assert "has 1 problem" in shown.err


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", "does not exist"),
        ("empty", "holds no audio files"),
        ("file", "song.mp3: it is an empty file"),
        ("text", "song.mp3: it is not audio that can be decoded"),
    ],
)
def test_music_that_is_none(
    kind: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music = tmp_path / "music"
    if kind == "empty":
        music.mkdir()
    elif kind == "file":
        music.mkdir()
        (music / "song.mp3").write_bytes(b"")
    elif kind == "text":
        music.mkdir()
        (music / "song.mp3").write_text("no music")
    assert build(music, tmp_path / "pool") == 1
    assert expected in error_line(capsys)


def test_a_corrupt_pool_database(tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "pool"
    broken.mkdir()
    (broken / "pool.db").write_bytes(b"\0garbage" * 512)
    for words in (
        ("pool", "info", broken),
        ("pool", "check", broken),
        ("render", broken, tmp_path / "out.wav", "--seconds", "1", "--strategy", "random"),
    ):
        assert run_here(*words) == 1
        assert "pool.db" in error_line(capsys)


def test_a_pool_without_chunks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from stream.pool.database import SCHEMA, SCHEMA_VERSION

    pool = tmp_path / "pool"
    pool.mkdir()
    with sqlite3.connect(pool / "pool.db") as database:
        database.executescript(SCHEMA)
        database.execute("INSERT INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
    database.close()
    assert run_here("render", pool, tmp_path / "out.wav", "--seconds", "1") == 1
    assert "holds no chunks" in error_line(capsys)


def test_a_pool_of_a_single_chunk(
    tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tiny_music / "one.wav", tmp_path / "pool", "--chunk-s", "60", "--quiet") == 0
    for command in (
        ("render", tmp_path / "pool", tmp_path / "out.wav", "--seconds", "1"),
        ("play", tmp_path / "pool"),
    ):
        assert run_here(*command) == 1
        assert "holds a single chunk and a stream needs two" in error_line(capsys)
    assert not (tmp_path / "out.wav").exists()


def test_songs_shorter_than_the_edge_of_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_music(tmp_path / "music", [f"{number}.wav" for number in range(4)], seconds=0.7)
    words = ("--cut", "equal", "--chunk-s", "0.5", "--min-chunk-s", "0.3", "--jobs", "1", "--quiet")
    assert run_here("pool", "build", tmp_path / "music", "--out", tmp_path / "pool", *words) == 0
    for model in ("binary-fast", "start-end", "tower"):
        out = tmp_path / f"{model}.flac"
        assert run_here("render", tmp_path / "pool", out, "--seconds", "10", "--model", model) == 0
        audio = soundfile.read(out)[0]
        assert audio.shape == (441_000, 2)
        assert np.isfinite(audio).all()
    assert capsys.readouterr().err == ""


# Rendering.


def test_render_writes_the_seconds_and_the_log(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, log = tmp_path / "out.wav", tmp_path / "log.jsonl"
    words = ("render", tiny_pool, out, "--seconds", "30", "--seed", "1", "--model", tiny_model)
    assert run_here(*words, "--log", log, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["seconds"] == 30.0
    assert figures["times_real_time"] > 0
    audio, rate_hz = soundfile.read(out)
    assert audio.shape == (30 * 44_100, 2)
    assert rate_hz == 44_100
    *decisions, stop = [json.loads(line) for line in log.read_text().splitlines()]
    assert [decision["n"] for decision in decisions] == list(range(len(decisions)))
    assert decisions[-1]["t_out_s"] <= 30.5
    assert (stop["event"], stop["t_out_s"]) == ("stop", 30.0)
    first = out.read_bytes()
    assert run_here(*words) == 0
    assert out.read_bytes() == first, "the same seed gives the same bytes"
    assert "times real time" in capsys.readouterr().out


def test_render_keeps_what_it_has_when_the_stream_fails(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("render", tiny_pool, tmp_path / "out.flac", "--seed", "1", "--strategy", "random", "--quiet")
    assert run_here(*words, "--seconds", "10") == 0
    whole = soundfile.read(tmp_path / "out.flac", dtype="int32")[0]
    real, left = Engine.render, iter(range(12))

    def fails(engine: Engine, frames: int) -> FloatArray:
        if next(left, None) is None:
            raise DecodeError("the last song is gone; put it back")
        return real(engine, frames)

    monkeypatch.setattr(Engine, "render", fails)
    capsys.readouterr()
    assert run_here(*words, "--seconds", "10") == 1
    kept = tmp_path / "out.incomplete.flac"
    assert capsys.readouterr().err.splitlines() == [
        f"endlos: the 0:04 that were rendered before it failed are in {kept}",
        "endlos: the last song is gone; put it back",
    ]
    rendered = soundfile.read(kept, dtype="int32")[0]
    assert len(rendered) == 12 * 16_384 and np.array_equal(rendered, whole[: len(rendered)])
    assert sorted(tmp_path.iterdir()) == sorted([kept, tmp_path / "out.flac"])


def test_render_at_another_rate_and_width(tiny_pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.flac"
    words = ("--seconds", "3", "--strategy", "random", "--rate", "48000", "--bits", "16", "--quiet")
    assert run_here("render", tiny_pool, out, *words) == 0
    info = soundfile.info(out)
    assert (info.samplerate, info.frames, info.subtype) == (48_000, 144_000, "PCM_16")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--rate", "8000"), "44100 or 48000"),
        (("--bits", "12"), "16 or 24"),
        (("--seconds", "inf"), "expected at most"),
        (("--start", "nowhere.wav"), "nowhere.wav"),
        (("--fade-s", "1000"), "fade_s"),
        (("--model", "no-such-model"), "no-such-model is not a model"),
    ],
)
def test_render_refuses_nonsense(
    words: tuple[str, ...],
    expected: str,
    tiny_pool: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    strategy = () if "--model" in words else ("--strategy", "random")
    assert run_here("render", tiny_pool, tmp_path / "o.wav", "--seconds", "2", *strategy, *words) == 1
    assert expected in error_line(capsys)
    assert list(tmp_path.iterdir()) == [], "nothing half-written stays behind"


def test_render_of_music_that_is_no_pool(
    tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("render", tiny_music, tmp_path / "out.wav", "--seconds", "1") == 1
    assert "endlos pool build" in error_line(capsys)


def test_a_broken_or_unfit_model(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.support.models import write_tiny_model

    broken = write_tiny_model(tmp_path / "broken", edge_samples=315)
    (broken / "pair.onnx").write_bytes(b"\0" * 100)
    long = write_tiny_model(tmp_path / "long", edge_samples=5000)
    for model, expected in ((broken, "pair.onnx"), (long, "5000")):
        assert run_here("render", tiny_pool, tmp_path / "o.wav", "--seconds", "1", "--model", model) == 1
        line = error_line(capsys)
        assert expected in line or "edge" in line


def test_a_song_that_has_gone_is_named_and_the_rest_is_rendered(
    tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music, out = tmp_path / "music", tmp_path / "out.wav"
    music.mkdir()
    for song in tiny_music.iterdir():
        (music / song.name).write_bytes(song.read_bytes())
    assert build(music, tmp_path / "pool", "--quiet") == 0
    (music / "two.wav").unlink()
    assert run_here("render", tmp_path / "pool", out, "--seconds", "40", "--strategy", "random") == 0
    printed = capsys.readouterr()
    told = [line for line in printed.err.splitlines() if "two.wav" in line]
    assert told == [f"endlos: {music / 'two.wav'} is gone; put it back, or run `endlos pool build` again"], (
        "one sentence, once"
    )
    assert printed.out.endswith("; 1 song left out\n")
    assert soundfile.info(out).frames == 40 * 44_100


@pytest.mark.parametrize("extension", ["xyz", "txt"])
def test_an_unknown_format(
    extension: str, tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out.{extension}"
    assert run_here("render", tiny_pool, out, "--seconds", "1", "--strategy", "random") == 1
    assert ".flac" in error_line(capsys)


def test_no_permission_to_write(
    tiny_pool: Path, tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(locked, os.W_OK):
        # Root may write anywhere but where there is no file system to write to.
        locked = Path("/proc/self")
    assert run_here("render", tiny_pool, locked / "o.wav", "--seconds", "1", "--strategy", "random") == 1
    assert str(locked) in error_line(capsys)
    assert build(tiny_music, locked / "pool") == 1
    assert str(locked) in error_line(capsys)


# Playing and serving: what is refused before anything sounds (the rest has modules of its own).


def test_play_what_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("play", tmp_path / "nothing", "--http", "127.0.0.1:0") == 1
    assert "does not exist" in error_line(capsys)


def test_a_sound_card_that_is_not_there(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("play", "serve"):
        assert run_here(command, tiny_pool, "--device", "no such card") == 1
        assert "sound card" in error_line(capsys)


@pytest.mark.parametrize("address", ["8000:", "host", "127.0.0.1:99999", ":", "a:b", "127.0.0.1:-1"])
def test_an_address_that_is_none(address: str, tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("serve", tiny_pool, "--http", address) == 1
    assert "HOST:PORT" in error_line(capsys)


def test_an_icecast_password_never_stands_in_the_line(
    tiny_pool: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENDLOS_ICECAST_PASSWORD", raising=False)
    assert run_here("serve", tiny_pool, "--icecast", "icecast://source:s3cret@localhost:8000/a.mp3") == 1
    line = error_line(capsys)
    assert "--icecast-password-file" in line
    assert "s3cret" not in line
    assert run_here("serve", tiny_pool, "--icecast", "icecast://localhost:8000/a.mp3") == 1
    assert "needs the source password" in error_line(capsys)


def test_an_unknown_codec(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("serve", tiny_pool, "--codec", "wax") == 1
    assert "no codec 'wax'" in error_line(capsys)


# The machine, and the command as a process.


def test_devices_and_doctor_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    run_here("devices", "--json")
    shown = capsys.readouterr()
    assert isinstance(json.loads(shown.out)["devices"], list) or "PortAudio" in shown.err
    run_here("doctor", "--json")
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert {"name", "good", "essential", "found", "advice"} == set(checks[0])


def test_demo_songs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("demo-songs", tmp_path, "--songs", "1", "--seconds", "6", "--json")
    assert run_here(*words) == 0
    (song,) = json.loads(capsys.readouterr().out)["songs"]
    assert soundfile.info(song).duration == pytest.approx(6.0, abs=0.5)


def test_the_installed_command_runs(tiny_pool: Path) -> None:
    done = run_apart("pool", "info", tiny_pool, "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["songs"]) == 3
    done = run_apart("pool", "info", tiny_pool / "nothing")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_fault(tiny_pool: Path) -> None:
    import subprocess

    from tests.support.commands import COMMAND, REPOSITORY

    with subprocess.Popen(
        [*COMMAND, "pool", "info", str(tiny_pool), "--json", "--chunks"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert b"Traceback" not in told
