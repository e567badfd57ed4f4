"""A replay gives a live run again bit for bit from its log, with jumps, threads and all."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.settings import PlannerSettings, Strategy
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from tests.stream.engine.test_engine import RATE_HZ, build, write_songs
from tests.support.models import write_tiny_buckets, write_tiny_model
from tests.support.waiting import PATIENCE_S, wait_until


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    return build(write_songs(folder / "music", [12, 9, 10.3]), folder / "pool")


@pytest.mark.parametrize("chosen", ["model", "random", "walk"])
def test_a_live_run_with_jumps_comes_out_again(pool: Path, tmp_path: Path, chosen: str) -> None:
    write = write_tiny_buckets if chosen == "walk" else write_tiny_model
    strategy: Strategy = "random" if chosen == "random" else "model"
    settings = EngineSettings(
        planner=PlannerSettings(strategy=strategy, seed=5, walk=chosen == "walk"),
        model=write(tmp_path / "model", edge_samples=200),
        fade_s=0.4,
        target_lufs=-18.0,
    )
    path = tmp_path / "log.jsonl"
    rng = np.random.default_rng(1)
    played = []
    with DecisionLog(path) as log:
        engine = Engine.open(pool, settings, on_decision=log, live=True)
        for _ in range(120):
            if rng.random() < 0.1:
                engine.skip()
            played.append(engine.render(int(rng.integers(1, 30_000))))
        log.event("stop", sum(map(len, played)), RATE_HZ)
        engine.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sum(line.get("jumped", False) for line in lines) >= 5
    live = np.concatenate(played)
    replay = Replay(pool, path)
    again = replay.render(len(live) + RATE_HZ)
    np.testing.assert_array_equal(again, live)
    assert len(replay.render(100)) == 0
    replay.close()
    blocks = Replay(pool, path)
    pieces = [blocks.render(4097) for _ in range(len(live) // 4097 + 1)]
    np.testing.assert_array_equal(np.concatenate(pieces), live)


def enters_within(line: dict[str, Any]) -> bool:
    """Whether what is entered is not heard from the very first frame of its chunk on."""
    return round(line["to"]["start_s"] * RATE_HZ) != line["to"]["start_sample"]


def test_a_log_without_a_stop_ends_with_its_last_chunk(pool: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2))
    with DecisionLog(path) as log:
        engine = Engine.open(pool, settings, on_decision=log)
        stream = engine.render(12 * RATE_HZ)
        while not enters_within(last := json.loads(path.read_text().splitlines()[-1])):
            stream = np.concatenate([stream, engine.render(RATE_HZ)])
    again = Replay(pool, path).render(60 * RATE_HZ)
    count = min(len(again), len(stream))
    left_frames = last["to"]["end_sample"] - round(last["to"]["start_s"] * RATE_HZ)
    assert len(again) == last["t_out_frames"] + left_frames
    np.testing.assert_array_equal(again[:count], stream[:count])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not begin with the first decision"),
        ("not json\n", "log.jsonl is not a decision log; name one that --log wrote$"),
        ('{"event": "stop"}\n5\n', "log.jsonl is not a decision log; name one that --log wrote$"),
        ('{"n": 4}\n', "does not begin with the first decision"),
        ("[1]\n", "is not a decision log"),
    ],
)
def test_what_is_no_log_is_told(pool: Path, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(EndlosError, match=sentence):
        Replay(pool, path)


def test_a_missing_log_and_another_pool_are_told(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(EndlosError, match="cannot be read"):
        Replay(pool, tmp_path / "none.jsonl")
    path = tmp_path / "log.jsonl"
    with DecisionLog(path) as log:
        settings = EngineSettings(planner=PlannerSettings(strategy="random"))
        Engine.open(pool, settings, on_decision=log).render(8 * RATE_HZ)
    other = build(write_songs(tmp_path / "music", [7, 5.5]), tmp_path / "other")
    with pytest.raises(EndlosError, match="lacks"):
        Replay(other, path)


def test_a_log_that_was_cut_off_in_mid_line_is_replayed_without_that_line(pool: Path, tmp_path: Path) -> None:
    path, cut = tmp_path / "log.jsonl", tmp_path / "cut.jsonl"
    with DecisionLog(path) as log:
        settings = EngineSettings(planner=PlannerSettings(strategy="random"))
        Engine.open(pool, settings, on_decision=log).render(20 * RATE_HZ)
    *lines, last = path.read_text().splitlines(keepends=True)
    cut.write_text("".join(lines))
    whole = Replay(pool, cut).frames_left
    for kept in (1, len(last) // 2, len(last) - 2):
        cut.write_text("".join(lines) + last[:kept])
        assert Replay(pool, cut).frames_left == whole
    cut.write_text("".join(lines[:-1]) + lines[-1][:40] + "\n" + last)
    with pytest.raises(EndlosError, match="is not a decision log"):
        Replay(pool, cut)


def test_a_walk_is_the_same_rendered_twice_live_and_from_its_log(pool: Path, tmp_path: Path) -> None:
    settings = EngineSettings(
        planner=PlannerSettings(seed=5, walk=True), model=write_tiny_buckets(tmp_path / "model")
    )

    def stream(*, live: bool) -> FloatArray:
        path = tmp_path / "log.jsonl"
        with DecisionLog(path) as log:
            engine = Engine.open(pool, settings, on_decision=log, live=live)
            found = []
            for _ in range(20):
                found.append(engine.render(RATE_HZ))
                # The thread that plans has its time, as it has while a card plays.
                wait_until(lambda: not live or engine._source.peek() is not None, "a step is planned")
            log.event("stop", 20 * RATE_HZ, RATE_HZ)
            engine.close()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert {line["strategy"] for line in lines if "strategy" in line} == {"walk"}
        np.testing.assert_array_equal(Replay(pool, path).render(20 * RATE_HZ), np.concatenate(found))
        return np.concatenate(found)

    rendered = stream(live=False)
    np.testing.assert_array_equal(stream(live=False), rendered)
    np.testing.assert_array_equal(stream(live=True), rendered)


def test_the_commands_log_and_replay(pool: Path, tmp_path: Path) -> None:
    """What `render` logged comes out again byte for byte, as long as it was; so does its log."""
    first, again = tmp_path / "first.wav", tmp_path / "again.wav"
    log, log_again = tmp_path / "log.jsonl", tmp_path / "again.jsonl"
    words = ["--seconds", "12", "--strategy", "random", "--seed", "4", "--fade-s", "0.5", "--quiet"]
    assert main_of("render", pool, first, *words, "--log", log) == 0
    assert main_of("render", pool, again, "--replay", log, "--log", log_again, "--quiet") == 0
    assert first.read_bytes() == again.read_bytes()
    logged, logged_again = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in (log, log_again)
    )
    assert [line.get("to") for line in logged] == [line.get("to") for line in logged_again]
    assert logged[-1] == logged_again[-1] == {"event": "stop", "t_out_s": 12.0, "t_out_frames": 12 * RATE_HZ}


def main_of(*words: object) -> int:
    command = [sys.executable, "-m", "tools.cli", *map(str, words)]
    return subprocess.run(command, check=False, timeout=10 * PATIENCE_S).returncode
