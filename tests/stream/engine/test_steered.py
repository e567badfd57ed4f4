"""A live engine is steered while it plays, remembers what is thought of songs, and is never late for it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import Decision, DecisionLog
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from stream.pool.feedback import STATE_FILE, song_opinions
from stream.pool.pool import open_pool
from tests.support.models import write_tiny_model
from tests.support.pools import noise_song
from tests.support.waiting import PATIENCE_S
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings

RATE_HZ = 44_100
BLOCK_FRAMES = RATE_HZ // 10
FALLBACK = "no decision was ready in time"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steered")
    (folder / "music").mkdir()
    for number in range(5):
        soundfile.write(folder / "music" / f"song{number}.flac", noise_song(24, number), RATE_HZ)
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=2.0), edge_s=0.5, jobs=1)
    build_pool([folder / "music"], folder / "pool", settings)
    return folder / "pool"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "model", 200)


@pytest.fixture
def nobody_judged(pool: Path) -> Iterator[None]:
    yield
    (pool / STATE_FILE).unlink(missing_ok=True)


def settings_of(model: Path) -> EngineSettings:
    return EngineSettings(model=model, planner=PlannerSettings(seed=3, min_phrase_s=2.0, max_phrase_s=6.0))


def rendered_until(engine: Engine, done: Callable[[], bool], *, speed: float = 6.0) -> FloatArray:
    """Render as a listener would hear it, `speed` times as fast, so that the planner has some time."""
    blocks, began_s = [], time.monotonic()
    while not done():
        assert time.monotonic() < began_s + PATIENCE_S
        blocks.append(engine.render(BLOCK_FRAMES))
        ahead_s = len(blocks) * BLOCK_FRAMES / RATE_HZ / speed - (time.monotonic() - began_s)
        time.sleep(max(0.0, ahead_s))
    return np.concatenate(blocks)


def test_it_is_steered_while_it_plays_and_the_log_replays_it(pool: Path, model: Path, tmp_path: Path) -> None:
    hashes = [song.audio_hash for song in open_pool(pool).songs]
    log = DecisionLog(tmp_path / "log.jsonl")
    decisions: list[Decision] = []

    def told(decision: Decision) -> None:
        log(decision)
        decisions.append(decision)

    engine = Engine.open(pool, settings_of(model), on_decision=told, live=True)
    try:
        blocks = [rendered_until(engine, lambda: len(decisions) > 1)]
        playing = engine.now().song.audio_hash
        goal = next(audio_hash for audio_hash in hashes if audio_hash != playing)
        others = frozenset(hashes) - {goal, playing}
        engine.steer(Steering(towards=goal, muted=frozenset([max(others)])))
        steered_at = len(decisions)
        assert engine.steering.towards == goal
        blocks.append(rendered_until(engine, lambda: engine.steering.towards is None))
        assert engine.now().song.audio_hash == goal
        blocks.append(rendered_until(engine, lambda: len(decisions) > steered_at + 12))
    finally:
        engine.close()
        log.event("stop", engine.now().time_frames, RATE_HZ)
        log.event("steer", 1, RATE_HZ, Steering(towards=goal).since(NOT_STEERED))
        log.__exit__(None, None, None)
    assert not any(FALLBACK in decision.step.reasons for decision in decisions)
    later = [d.step.chunk.song.audio_hash for d in decisions[steered_at + 4 :]]
    assert max(others) not in later
    assert {"event": "steer", "t_out_s": 1 / RATE_HZ, "t_out_frames": 1, "towards": goal} in [
        json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()
    ]
    replay = Replay(pool, tmp_path / "log.jsonl")
    heard = np.concatenate(blocks)
    np.testing.assert_array_equal(replay.render(len(heard)), heard)
    replay.close()


def test_many_changes_in_a_row_never_make_a_decision_late(pool: Path, model: Path) -> None:
    decisions: list[Decision] = []
    engine = Engine.open(pool, settings_of(model), on_decision=decisions.append, live=True)
    factors = iter(np.linspace(0.5, 2.0, 10_000))

    def steer() -> bool:
        engine.steer(Steering(phrase_factor=float(next(factors))))
        return len(decisions) > 12

    try:
        rendered_until(engine, steer)
    finally:
        engine.close()
    assert not any(FALLBACK in decision.step.reasons for decision in decisions)


@pytest.mark.usefixtures("nobody_judged")
def test_what_is_thought_of_songs_outlives_the_engine(
    pool: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hashes = [song.audio_hash for song in open_pool(pool).songs]
    engine = Engine.open(pool, settings_of(model))
    engine.judge_song(hashes[1], "muted")
    engine.judge_song(hashes[2], "favoured")
    engine.judge_song(hashes[3], "muted")
    engine.judge_song(hashes[3], None)
    wanted = Steering(muted=frozenset(hashes[1:2]), favoured=frozenset(hashes[2:3]))
    assert engine.steering == wanted
    with pytest.raises(EndlosError, match="no song nothing"):
        engine.judge_song("nothing", "muted")
    with pytest.raises(EndlosError, match="no song nothing"):
        engine.steer(Steering(towards="nothing"))
    engine.close()
    assert song_opinions(pool) == {hashes[1]: "muted", hashes[2]: "favoured"}
    decisions: list[Decision] = []
    engine = Engine.open(pool, settings_of(model), on_decision=decisions.append)
    assert engine.steering == wanted
    engine.render(100 * RATE_HZ)
    engine.close()
    assert hashes[1] not in {decision.step.chunk.song.audio_hash for decision in decisions}
    (pool / STATE_FILE).write_bytes(b"no database at all" * 100)
    engine = Engine.open(pool, settings_of(model))
    assert engine.steering == NOT_STEERED and "state.db" in caplog.text
    engine.close()


def test_asking_for_the_song_that_plays_asks_for_nothing(pool: Path, model: Path) -> None:
    engine = Engine.open(pool, settings_of(model))
    try:
        engine.render(RATE_HZ)
        engine.steer(Steering(towards=engine.now().song.audio_hash, phrase_factor=2.0))
        assert engine.steering == Steering(phrase_factor=2.0)
    finally:
        engine.close()
