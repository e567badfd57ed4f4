"""The commands `play`, `serve` and `render` take the same options of the stream."""

import contextlib
import inspect
import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.saved.carried import chosen_model
from stream.choosing.settings import PlannerSettings
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from tests.support.commands import Running, run_here, wait_until
from tests.support.music import write_music
from tools.commands import play, render, serve
from tools.commands.engine_options import EngineChoice, engine_options
from tools.commands.output_options import output_options

RATE_HZ = 44_100


def options_of(command: Callable[..., None]) -> dict[str, object]:
    return {name: option.default for name, option in inspect.signature(command).parameters.items()}


def test_the_engine_is_asked_for_alike_everywhere() -> None:
    @engine_options(live=True)
    def nothing_else(engine: EngineChoice) -> None: ...

    own = options_of(nothing_else)
    assert {"model", "strategy", "seed", "other_songs", "max_phrase_s", "rate", "fade_s", "start"} <= set(own)
    for command in (play.play, serve.serve, render.render):
        given = options_of(command)
        assert {name: given[name] for name in own if name != "seed"} == {
            name: default for name, default in own.items() if name != "seed"
        }


def test_play_and_serve_have_the_same_outputs() -> None:
    @output_options
    def nothing_else(outputs: object) -> None: ...

    own = options_of(nothing_else)
    assert {"output", "http", "icecast", "device", "latency"} <= set(own)
    for command in (play.play, serve.serve):
        assert own.items() <= options_of(command).items()


def test_without_options_the_engine_is_that_of_the_dataclasses() -> None:
    asked: list[EngineChoice] = []

    @engine_options(live=False)
    def command(engine: EngineChoice) -> None:
        asked.append(engine)

    command(**options_of(command))
    assert asked[0].settings == EngineSettings(model=chosen_model(None))
    assert asked[0].suited(48_000).engine_rate_hz == 48_000
    command(
        **{**options_of(command), "rate": 44_100, "keep_loudness": True, "fade_s": 3.0, "max_phrase_s": 9.0}
    )
    assert asked[1].suited(48_000) == EngineSettings(
        model=chosen_model(None), planner=PlannerSettings(max_phrase_s=9.0), fade_s=3.0, target_lufs=None
    )


def test_a_live_stream_without_a_seed_is_another_each_time() -> None:
    asked: list[EngineChoice] = []

    @engine_options(live=True)
    def command(engine: EngineChoice) -> None:
        asked.append(engine)

    for _ in range(3):
        command(**options_of(command))
    assert len({engine.settings.planner.seed for engine in asked}) > 1


@pytest.mark.parametrize("command", ["play", "serve"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--output", "fiel:a.wav"), "did you mean file?"),
        (("--output", "icecast://source:hidden@h/a.mp3"), "was given with a password in it"),
        (("--output", "http://127.0.0.1:0", "--http", "127.0.0.1:0"), "/stream.mp3 is asked for 2 times"),
        (("--output", "file:none/a.wav"), "there is no folder none"),
        (("--device", "no such card", "--latency", "auto"), ""),
    ],
)
def test_an_output_that_cannot_be_is_one_sentence(
    command: str, words: tuple[str, ...], sentence: str, tiny_pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(command, tiny_pool, *words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert "hidden" not in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "render POOL a.wav --replay log --seed 3 --model tower",
            "--seed and --model do nothing with --replay",
        ),
        ("render POOL a.wav --seconds 5 --keep-loudness --loudness-lufs -9", "--loudness-lufs does nothing"),
        ("render POOL a.wav --seconds 5 --whole-songs --other-songs 1", "--other-songs does nothing"),
        ("render POOL a.wav --seconds 5 --strategy random --max-phrase-s 9", "--max-phrase-s does nothing"),
        (
            "render POOL a.wav --seconds 5 --min-phrase-s 0 --min-phrase-bars 9",
            "--min-phrase-bars does nothing",
        ),
        ("serve POOL --volume-db -6", "--volume-db does nothing without --device"),
        ("serve POOL --output device: --block 64", "--block does nothing without --device"),
        ("play POOL --output pipe:- --latency low", "--latency does nothing without --device"),
        ("play POOL --icecast-password-file p", "--icecast-password-file does nothing without an Icecast"),
        ("play POOL --resume --start a", "--resume does nothing beside --seed or --start"),
        ("serve --watch", "--watch does nothing of the demo songs"),
        ("joins POOL --explain --seed 3", "--seed does nothing with --explain"),
        ("joins POOL --pieces 3", "--pieces does nothing without --listen"),
        ("joins POOL --quick --folds 4", "--folds does nothing with --quick"),
        ("eval POOL --cut pool --chunk-s 2", "--chunk-s does nothing with --cut pool"),
        ("eval POOL --scores s.npy --json", "--json does nothing with --scores"),
        ("study POOL --jobs 2 --local-cluster 2", "--jobs does nothing where the workers of a cluster"),
        ("bench POOL --only render --device 3", "--device does nothing where --only leaves the card out"),
        ("config --example --json", "--json does nothing with --example"),
    ],
)
def test_an_option_that_would_do_nothing_is_told(
    words: str, told: str, tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.chdir(tmp_path):
        assert run_here(*(tiny_pool if word == "POOL" else word for word in words.split())) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_build_tells_options_that_do_nothing_and_builds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A pool that is watched is built again with all that it was built with, at their defaults too.
    (tmp_path / "music").mkdir()
    write_music(tmp_path / "music", ["a.wav", "b.wav"])
    words = ("pool", "build", tmp_path / "music", "--out", tmp_path / "pool", "--cut", "equal", "--jobs", "1")
    assert run_here(*words, "--bars", "4", "--silence-ms", "300") == 0
    told = capsys.readouterr().err
    assert "--bars does nothing with --cut equal, which knows no bars; leave it out" in told
    assert "--silence-ms does nothing with --cut equal, which cuts every --chunk-s" in told


def test_what_the_file_says_for_many_runs_is_left_out_where_it_does_not_fit(
    tiny_pool: Path, tmp_path: Path
) -> None:
    config = tmp_path / "endlos.toml"
    config.write_text("[render]\nbits = 16\nbitrate = 96\nother-songs = 1\nstrategy = 'natural'\n")
    for name in ("a.mp3", "a.wav"):
        words = ("--config", config, "render", tiny_pool, tmp_path / name, "--seconds", "4")
        assert run_here(*words) == 0
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    assert (tmp_path / "a.mp3").stat().st_size == pytest.approx(4 * 96_000 / 8, rel=0.1)


@pytest.mark.parametrize("command", ["play", "serve"])
def test_a_file_that_is_read_is_not_overwritten(
    command: str, tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "both.flac"
    assert run_here(command, tiny_pool, "--log", log, "--output", f"file:{log}") == 1
    assert "both" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["play", "serve"])
def test_a_file_gets_what_render_gives_beside_listeners(
    command: str, tiny_pool: Path, tmp_path: Path
) -> None:
    log, written = tmp_path / "log.jsonl", tmp_path / "stream.flac"
    words = (
        *(command, tiny_pool, "--strategy", "random", "--seed", "5", "--fade-s", "1"),
        *("--output", f"file:{written}?bits=16", "--output", "http://127.0.0.1:0", "--log", log),
    )
    with Running(*words) as running:
        running.wait_for("serving http://")
        wait_until(lambda: len(log.read_text().splitlines()) > 4, "some joins")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        assert "Traceback" not in running.printed()
    heard, rate_hz = soundfile.read(written, dtype="int16", always_2d=True)
    assert rate_hz == RATE_HZ
    assert json.loads(log.read_text().splitlines()[0])["settings"]["fade_s"] == 1.0
    replay = Replay(tiny_pool, log)
    expected = np.rint(replay.render(len(heard)).astype(np.float64) * (1 << 15))
    replay.close()
    # But for the fade at the end.
    whole = len(heard) - RATE_HZ // 10
    assert whole > RATE_HZ
    assert (heard[:whole] == expected[:whole]).all()
