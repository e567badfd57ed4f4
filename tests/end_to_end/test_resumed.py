"""A service that is killed goes on where it stood, and one that is told how to begin begins like that."""

import json
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stream.service.resume import RESUME_FILE
from tests.support.commands import Running
from tests.support.music import quick_settings, write_music
from tests.support.waiting import PATIENCE_S, wait_until
from tools.bench.free_port import free_port
from tools.pools.build import build_pool

WITHIN_S = 0.5
"""How far apart what is heard and what is written down may be; less than how far it is into its song."""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    write_music(tmp_path / "music", ["one.wav", "two.wav", "three.flac"], seconds=40.0)
    build_pool([tmp_path / "music"], tmp_path / "pool", quick_settings())
    return tmp_path / "pool"


def first_decision(log: Path) -> dict[str, Any]:
    wait_until(lambda: log.is_file() and "\n" in log.read_text(), "the first decision")
    decision: dict[str, Any] = json.loads(log.read_text().splitlines()[0])
    return decision


def test_a_service_that_was_killed_goes_on_where_it_stood(
    pool: Path, tiny_model: Path, tmp_path: Path
) -> None:
    port = free_port()
    words = ("serve", pool, "--model", tiny_model, "--http", f"127.0.0.1:{port}")

    def now() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json", timeout=PATIENCE_S) as answer:
            told: dict[str, Any] = json.load(answer)["now"]
        return told

    def written() -> int:
        return (pool / RESUME_FILE).stat().st_mtime_ns

    with Running(*words, "--log", tmp_path / "first.jsonl") as running:
        running.wait_for("INFO serving http://")
        wait_until(lambda: now()["time_s"] > 8.0, "it has played for a while")
        wait_until(lambda: 4.0 < now()["position_s"] < 20.0, "it is in the midst of a song")
        stood, at_s = now(), time.monotonic()
        # On a busy machine that takes longer than the second in which it is due.
        for _ in range(2):
            before = written()
            wait_until(lambda before=before: written() != before, "it is written down")  # type: ignore[misc]
        running.send(signal.SIGKILL)
        running.end()
        longest_s = time.monotonic() - at_s
    with Running(*words, "--log", tmp_path / "second.jsonl") as running:
        begun = first_decision(tmp_path / "second.jsonl")
        running.wait_for("INFO serving http://")
        assert Path(begun["to"]["song"]).stem == stood["title"]
        assert -WITHIN_S < begun["to"]["start_s"] - stood["position_s"] < longest_s + WITHIN_S
        assert begun["reasons"] == ["it goes on where it stood"]
        running.send(signal.SIGTERM)
        assert running.end() == 0
        assert "Traceback" not in running.printed() and "WARNING" not in running.printed()
    with Running(*words, "--log", tmp_path / "third.jsonl", "--seed", "1"):
        begun = first_decision(tmp_path / "third.jsonl")
        assert begun["to"]["start_s"] < 0.5 and begun["reasons"] == []
