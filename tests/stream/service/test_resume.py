"""Where a stream stood is kept beside its pool, outlives rebuilds, and damage to it costs only that."""

import json
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from stream.choosing.journey.steering import Steering
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import Decision, DecisionLog
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from stream.engine.standing import Standing
from stream.pool.pool import open_pool
from stream.service.resume import RESUME_FILE, ResumeFile
from stream.service.stood import stood
from stream.service.stood import told as stood_told
from tests.stream.engine.test_engine import RATE_HZ, build, write_songs
from tests.support.models import write_tiny_model
from tests.support.waiting import wait_until


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    return build(write_songs(tmp_path / "music", [15, 12, 9]), tmp_path / "pool")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    return build(write_songs(folder / "music", [15, 12, 9]), folder / "pool")


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    """A pool of its own of the same music."""
    return shutil.copytree(built, tmp_path / "pool")


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    model = write_tiny_model(tmp_path / "model", 200)
    return EngineSettings(model=model, planner=PlannerSettings(seed=3, min_phrase_s=3.0))


def opened(
    pool: Path, settings: EngineSettings, place: ResumeFile, log: list[Decision] | None = None
) -> Engine:
    told = None if log is None else log.append
    return Engine.open(pool, settings, live=True, recall=place.recall, on_decision=told)


def standing(engine: Engine) -> Standing:
    found: list[Standing] = []

    def known() -> bool:
        stands = engine.standing(engine.now())
        found.extend([] if stands is None else [stands])
        return bool(found)

    wait_until(known, "the planner has told what it knows")
    return found[0]


def stopped(pool: Path, settings: EngineSettings, seconds: float) -> Standing:
    """Play for a while and keep where it stands."""
    with closing(ResumeFile(pool)) as place, closing(opened(pool, settings, place)) as engine:
        for _ in range(round(seconds * 10)):
            engine.render(RATE_HZ // 10)
        engine.steer(Steering(phrase_factor=0.5, other_songs=0.8))
        stands = standing(engine)
        with place.kept(lambda: stands):
            pass
        return stands


def test_a_stream_goes_on_at_the_same_frame_with_what_it_knew(copied: Path, settings: EngineSettings) -> None:
    pool = copied
    stood = stopped(pool, settings, 31.7)
    assert stood.memory.chunk is not None
    log: list[Decision] = []
    with closing(ResumeFile(pool)) as place, closing(opened(pool, settings, place, log)) as engine:
        (first,) = log
        assert first.step.chunk.key == stood.memory.chunk.key
        assert abs(first.entered_at_s - stood.position_s) < 1.5, "at the latest before its join"
        assert engine.now().song.audio_hash == stood.memory.chunk.song.audio_hash
        assert engine.steering == Steering(phrase_factor=0.5, other_songs=0.8)
        again = standing(engine).memory
        was = stood.memory.history
        np.testing.assert_array_equal(again.history.plays, was.plays)
        np.testing.assert_array_equal(again.history.last_played, was.last_played)
        for name in ("steps", "run", "stop", "joins", "owed"):
            assert getattr(again.history, name) == getattr(was, name), name
        audio = engine.render(RATE_HZ // 4)
        reader = first.step.chunk.generation.reader
        start = round(first.entered_at_s * RATE_HZ)
        song = reader.read(first.step.chunk.song_index, start, start + len(audio))
        gain = 10 ** (first.gain_db / 20)
        np.testing.assert_allclose(audio, gain * song, atol=1e-5)


def test_a_stream_that_went_on_can_be_replayed(
    copied: Path, settings: EngineSettings, tmp_path: Path
) -> None:
    stopped(copied, settings, 8.3)
    path = tmp_path / "log.jsonl"
    with (
        closing(ResumeFile(copied)) as place,
        DecisionLog(path) as log,
        closing(Engine.open(copied, settings, live=True, recall=place.recall, on_decision=log)) as engine,
    ):
        live = np.concatenate([engine.render(RATE_HZ // 10) for _ in range(100)])
        log.event("stop", len(live), RATE_HZ)
    with closing(Replay(copied, path)) as replay:
        np.testing.assert_array_equal(replay.render(len(live)), live)


def test_the_pool_may_have_been_rebuilt(pool: Path, settings: EngineSettings, tmp_path: Path) -> None:
    stood = stopped(pool, settings, 25.0)
    assert stood.memory.chunk is not None
    before = {
        stood.memory.generation.key(row): int(plays) for row, plays in enumerate(stood.memory.history.plays)
    }
    name = stood.memory.chunk.song.name
    gone = next(song.name for song in open_pool(pool).songs if song.name != name)
    (tmp_path / "music" / gone).unlink()
    write_songs(tmp_path / "music", [8], first=7)
    build(tmp_path / "music", pool)
    with closing(ResumeFile(pool)) as place, closing(opened(pool, settings, place)) as engine:
        memory = standing(engine).memory
        assert memory.chunk is not None and memory.chunk.key == stood.memory.chunk.key
        plays = {memory.generation.key(row): int(plays) for row, plays in enumerate(memory.history.plays)}
        assert {song.name for song in memory.generation.pool.songs} > {"song7.flac", name}
        assert all(plays[key] == before.get(key, 0) for key in plays)
        assert memory.history.steps == stood.memory.history.steps


def test_a_song_that_is_gone_is_left_and_the_rest_is_known(
    pool: Path, settings: EngineSettings, tmp_path: Path
) -> None:
    stood = stopped(pool, settings, 25.0)
    assert stood.memory.chunk is not None
    (tmp_path / "music" / stood.memory.chunk.song.name).unlink()
    build(tmp_path / "music", pool)
    with closing(ResumeFile(pool)) as place, closing(opened(pool, settings, place)) as engine:
        memory = standing(engine).memory
        assert memory.history.steps == stood.memory.history.steps + 1
        assert memory.history.plays.sum() > 1


def test_how_a_phrase_ends_is_told_whole() -> None:
    generation = made_up(songs=6, chunks=12, chunk_s=4.0, seed=4)
    planner = Planner(generation, PlannerSettings(seed=1))
    seen = set()
    for _ in range(150):
        planner.deliver(planner.next())
        memory = planner.memory()
        if memory.leaving is not None:
            told = json.loads(
                json.dumps(stood_told(Standing(memory=memory, position_s=0.0, steering=Steering())))
            )
            again = stood(told, memory.history.copy(), generation).memory.leaving
            assert again is not None and again.exit_row == memory.leaving.exit_row
            was = memory.leaving.step
            for name in ("natural", "renews", "rung", "score", "door", "terms", "reasons"):
                assert getattr(again.step, name) == getattr(was, name), name
            assert again.step.chunk.key == was.chunk.key
            seen.add((was.renews, was.door is None))
    assert {(True, True), (False, False)} <= seen


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def no_database(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def rewritten(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            said = json.loads(database.execute("SELECT standing FROM stream").fetchone()[0])
            database.execute("UPDATE stream SET standing = ?", (json.dumps(change(said)),))

    return damage


def left_by_terms_that_are_none(said: dict[str, object]) -> dict[str, object]:
    step = {"rung": "full", "score": None, "rank": None, "considered": 1, "reasons": [], "stop": None}
    return {"exit": said["chunk"], "entry": said["chunk"], "terms": [], **step}


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        no_database,
        rewritten(lambda said: []),
        rewritten(lambda said: {**said, "version": 0}),
        rewritten(lambda said: {**said, "draws": {"bit_generator": "MT19937"}}),
        rewritten(lambda said: {**said, "history": {}}),
        rewritten(lambda said: {**said, "steering": {"phrase_factor": 99}}),
        rewritten(lambda said: {**said, "leaving": left_by_terms_that_are_none(said)}),
    ],
)
def test_damage_is_one_sentence_and_a_stream_that_begins_anew(
    copied: Path, settings: EngineSettings, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    pool = copied
    stopped(pool, settings, 5.0)
    damage(pool / RESUME_FILE)
    with closing(ResumeFile(pool)) as place, closing(opened(pool, settings, place)) as engine:
        assert standing(engine).memory.history.steps == 1
        (line,) = [record for record in caplog.records if RESUME_FILE in record.message]
        assert "begins anew" in line.message and line.levelno == logging.WARNING
        with place.kept(lambda: standing(engine)):
            pass
    with closing(ResumeFile(pool)) as place, closing(opened(pool, settings, place)) as engine:
        assert standing(engine).memory.chunk is not None
    assert len([record for record in caplog.records if RESUME_FILE in record.message]) == 1


def test_between_two_steps_only_the_place_is_written(
    copied: Path, settings: EngineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Standing] = []
    monkeypatch.setattr(
        "stream.service.resume.told", lambda standing: told.append(standing) or stood_told(standing)
    )
    with closing(ResumeFile(copied)) as place, closing(opened(copied, settings, place)) as engine:
        stands = standing(engine)
        later = replace(stands, position_s=stands.position_s + 1.25)
        steered = replace(later, steering=Steering(phrase_factor=0.5))
        for wanted, times in ((stands, 1), (later, 1), (later, 1), (steered, 2)):
            with place.kept(lambda wanted=wanted: wanted):
                pass
            assert len(told) == times
        again = place.recall(stands.memory.generation)
        assert again is not None and again.position_s == pytest.approx(later.position_s, abs=1e-4)
        assert again.steering == steered.steering


def test_a_second_stream_of_the_pool_begins_anew(
    copied: Path, settings: EngineSettings, caplog: pytest.LogCaptureFixture
) -> None:
    pool = copied
    stopped(pool, settings, 5.0)
    with (
        closing(ResumeFile(pool)) as first,
        closing(ResumeFile(pool)) as second,
        first.kept(lambda: None),
        closing(opened(pool, settings, second)) as engine,
    ):
        assert "another stream of this pool" in caplog.text
        assert standing(engine).memory.history.steps == 1


def test_a_file_of_before_there_was_a_place_is_understood(copied: Path, settings: EngineSettings) -> None:
    stopped(copied, settings, 5.0)
    with closing(sqlite3.connect(copied / RESUME_FILE)) as database, database:
        sample = database.execute("SELECT sample FROM place").fetchone()[0]
        said = json.loads(database.execute("SELECT standing FROM stream").fetchone()[0])
        database.execute("UPDATE stream SET standing = ?", (json.dumps({**said, "sample": sample}),))
        database.execute("DROP TABLE place")
    with closing(ResumeFile(copied)) as place, closing(opened(copied, settings, place)) as engine:
        chunk = standing(engine).memory.chunk
        assert chunk is not None
        assert engine.now().position_s == pytest.approx(sample / chunk.song.sample_rate_hz, abs=0.01)
