"""A decision log that somebody has changed is refused in one sentence, or replayed; nothing else."""

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model.base.errors import EndlosError
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from tests.support.commands import REPOSITORY

VALUES = (1e308, -1e308, 10**20, -(10**20), 10**400, -1, 0.5, True, None, "x", "", [], {}, [[]])


@pytest.fixture(scope="module")
def decisions(tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    with DecisionLog(path) as log:
        settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=1))
        engine = Engine.open(tiny_pool, settings, on_decision=log)
        engine.render(10 * engine.engine_rate_hz)
        engine.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_field_is_explained(decisions: list[dict[str, Any]]) -> None:
    page = (REPOSITORY / "docs" / "decision-log.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(decisions[1])


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value in nested dictionaries and lists."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from places(each, (*path, name))


def replayed(pool: Path, path: Path, lines: list[Any]) -> str:
    """Return the sentence of the refusal, empty where it was replayed."""
    path.write_text("\n".join(json.dumps(line) for line in lines))
    try:
        replay = Replay(pool, path)
        replay.render(min(replay.frames_left, 20_000))
        replay.close()
    except EndlosError as error:
        return str(error)
    return ""


def test_whatever_a_value_is_changed_to(
    tiny_pool: Path, tmp_path: Path, decisions: list[dict[str, Any]]
) -> None:
    path = tmp_path / "log.jsonl"
    assert replayed(tiny_pool, path, decisions) == ""
    rng = random.Random(0)
    every = [(number, place) for number in (0, 2) for place in places(decisions[number])]
    refused = 0
    for number, place in rng.sample(every, min(len(every), 60)):
        for value in rng.sample(VALUES, 4):
            lines: list[Any] = copy.deepcopy(decisions)
            at: Any = lines[number]
            for name in place[:-1]:
                at = at[name]
            at[place[-1]] = value
            refused += bool(replayed(tiny_pool, path, lines))
    assert refused > 20


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"n": 0}, "t_out_frames of decision 0 is missing"),
        ([], "is not a decision log"),
        (5, "is not a decision log"),
        ({}, "does not begin with the first decision"),
    ],
)
def test_lines_that_are_none(tiny_pool: Path, tmp_path: Path, line: object, sentence: str) -> None:
    assert sentence in replayed(tiny_pool, tmp_path / "log.jsonl", [line])
