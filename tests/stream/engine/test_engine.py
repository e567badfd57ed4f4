"""The engine refuses what it must, and takes up songs that join a built pool while it plays."""

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import stream.choosing.bans
import stream.choosing.generation
import stream.engine.newer
import stream.pool.columns
import stream.scoring.guard
import stream.scoring.opening
from model.base.arrays import FloatArray, IntArray
from model.base.errors import EndlosError, ModelError, PoolError
from stream.choosing.generation import Generation, open_generation
from stream.choosing.planner import Planner
from stream.choosing.ready import plan_ahead
from stream.choosing.selection import GOES_ON
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import Decision, DecisionLog
from stream.engine.engine import Engine
from stream.engine.newer import PoolWatch
from stream.engine.past import Past
from stream.engine.settings import EngineSettings
from stream.engine.told_joins import ToldJoins
from stream.joins.join_planner import JoinPlanner
from stream.pool.database import DATABASE_FILE
from stream.pool.feedback import STATE_FILE, HeardJoin, labelled_joins
from stream.pool.pool import current_generation
from stream.pool.traits import BY_ROWS
from stream.scoring.guard import GuardedScorer
from stream.scoring.opening import Opened
from stream.scoring.scorer import Scorer
from tests.support.models import write_tiny_model
from tests.support.pools import MadeUpScorer, noise_song
from tests.support.waiting import PATIENCE_S, wait_until
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings

RATE_HZ = 44_100
RANDOM = EngineSettings(planner=PlannerSettings(strategy="random", seed=1))


def write_songs(folder: Path, seconds: Sequence[float], *, first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for number, length_s in enumerate(seconds, first):
        soundfile.write(folder / f"song{number}.flac", noise_song(length_s, number), RATE_HZ)
    return folder


def build(music: Path, pool: Path) -> Path:
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=1.5), edge_s=0.5, jobs=1)
    build_pool([music], pool, settings)
    return pool


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    return build(write_songs(folder / "music", [9, 8, 7]), folder / "pool")


def test_a_model_of_ones_own_chooses_and_its_choices_are_logged(pool: Path, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "model", 200)
    settings = EngineSettings(model=model, planner=PlannerSettings(top_k=1, min_phrase_s=0.0))
    log: list[Decision] = []
    engine = Engine.open(pool, settings, on_decision=log.append)
    engine.render(40 * RATE_HZ)
    scored = [d for d in log if d.step.rung == "full"]
    ends = [d for d in scored if d.step.ends_phrase]
    assert len(ends) > 5
    assert all(d.step.reasons == ("the join comes later",) for d in scored if not d.step.ends_phrase)
    assert all(d.step.reasons == (GOES_ON,) for d in ends if d.step.natural)
    assert all(d.step.rank == 1 and 0.0 <= (d.step.score or 0.0) <= 1.0 for d in ends)
    assert all(d.as_json()["terms"]["total"] == round(d.step.terms["total"], 3) for d in ends)  # type: ignore[index]
    now = engine.now()
    assert now.chunks == 15 and now.songs == 3 and now.time_s == 40.0 and now.lost == 0
    engine.close()


def test_two_runs_are_the_same_and_another_seed_is_not(pool: Path, tmp_path: Path) -> None:
    def run(seed: int) -> bytes:
        settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=seed))
        engine = Engine.open(pool, settings)
        try:
            return engine.render(15 * RATE_HZ).tobytes()
        finally:
            engine.close()

    assert run(1) == run(1) != run(2)


def test_skip_moves_on_to_another_piece(pool: Path) -> None:
    engine = Engine.open(pool, EngineSettings(planner=PlannerSettings(strategy="natural")), live=True)
    try:
        engine.render(RATE_HZ)
        before = engine.now()
        engine.skip()
        wait_until(lambda: len(engine.render(100)) and engine.now().song != before.song, "another song")
    finally:
        engine.close()


def test_next_is_chosen_however_far_away_the_end_of_the_song_is(tmp_path: Path) -> None:
    """None of so many steps that are planned leaves a song that is played whole."""
    folder = build(write_songs(tmp_path / "music", [45, 46, 47, 48]), tmp_path / "pool")
    settings = EngineSettings(planner=PlannerSettings(strategy="natural"))
    heard: list[Decision] = []

    def jumps() -> list[Decision]:
        return [decision for decision in heard if decision.jump_frames is not None]

    engine = Engine.open(folder, settings, on_decision=heard.append, live=True)
    try:
        for jump in range(6):
            engine.skip()
            wait_until(lambda: len(engine.render(100)) and len(jumps()) > jump, "another song")  # noqa: B023
    finally:
        engine.close()
    assert "any" not in {decision.step.rung for decision in jumps()}


def test_the_first_song_can_be_chosen(pool: Path) -> None:
    engine = Engine.open(pool, EngineSettings(planner=RANDOM.planner, start_song="song2.flac"))
    assert engine.now().song.name == "song2.flac" and engine.now().position_s == 0.0
    engine.close()
    with pytest.raises(EndlosError, match=r"no song .song9\.flac.; near it: .*song2\.flac.*; name one as"):
        Engine.open(pool, EngineSettings(planner=RANDOM.planner, start_song="song9.flac"))
    with pytest.raises(EndlosError, match=r"no song .other\.flac."):
        Engine.open(pool, EngineSettings(planner=RANDOM.planner, start_song="other.flac"))


@pytest.mark.parametrize("replaced", [True, False])
def test_a_model_that_hangs_in_its_first_score_is_abandoned_and_planning_begins(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    gate = threading.Event()

    def hang(reference: int, candidates: IntArray | None) -> FloatArray:
        gate.wait()
        raise RuntimeError("it was let go")

    opened: list[GuardedScorer] = []
    open_pairs = stream.scoring.opening._OPENERS["pairs"]
    made = 0

    def opening(asked: Any) -> Opened:
        nonlocal made
        made += 1
        if made > 1 and not replaced:
            gate.wait()
        found = open_pairs(asked)
        return found if made > 1 else replace(found, scorer=MadeUpScorer(hang))

    class Remembered(GuardedScorer):
        def __init__(self, scorer: Scorer, make: Callable[[], Scorer]) -> None:
            super().__init__(scorer, make)
            opened.append(self)

    monkeypatch.setattr(stream.scoring.guard, "UNHURRIED_S", 1.0)
    monkeypatch.setitem(stream.scoring.opening._OPENERS, "pairs", opening)
    monkeypatch.setattr(stream.scoring.opening, "GuardedScorer", Remembered)
    model = write_tiny_model(tmp_path / "model", 200)
    settings = EngineSettings(model=model, planner=PlannerSettings(min_phrase_s=0.0))
    log: list[Decision] = []
    engine = Engine.open(pool, settings, on_decision=log.append, live=True)
    try:
        wanted, deadline = "full" if replaced else "nearest", time.monotonic() + PATIENCE_S
        while wanted not in {decision.step.rung for decision in log}:
            assert time.monotonic() < deadline, "planning never began"
            engine.render(RATE_HZ // 10)
            time.sleep(0.01)
        assert opened[0].abandoned == 1 or not replaced
    finally:
        gate.set()
        engine.close()


def test_songs_join_while_it_plays(tmp_path: Path) -> None:
    music = write_songs(tmp_path / "music", [6])
    pool = build(music, tmp_path / "pool")
    engine = Engine.open(pool, RANDOM, live=True)
    try:
        engine.render(RATE_HZ)
        build(write_songs(music, [6], first=1), pool)
        heard = set()
        deadline = time.monotonic() + PATIENCE_S
        while "song1.flac" not in heard:
            assert time.monotonic() < deadline
            assert np.isfinite(engine.render(RATE_HZ // 4)).all()
            heard.add(engine.now().song.name)
            time.sleep(0.01)
        assert engine.now().songs == 2
    finally:
        engine.close()


def test_columns_that_are_cut_off_while_it_plays_do_not_end_the_stream(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    copy = Path(shutil.copytree(pool, tmp_path / "pool"))
    # As of a pool that is too large for memory.
    monkeypatch.setattr(stream.pool.columns, "MOST_READ_BYTES", 0)
    log: list[Decision] = []
    settings = EngineSettings(planner=PlannerSettings(seed=1, min_phrase_s=0.0))
    engine = Engine.open(copy, settings, on_decision=log.append)
    engine.render(3 * RATE_HZ)
    for path in copy.glob("columns/*/*.bin"):
        os.truncate(path, 0)
    whole = len(log)
    heard = engine.render(20 * RATE_HZ)
    engine.close()
    assert np.abs(heard).reshape(20, -1).max(axis=1).min() > 0.01
    # One step more may have been chosen before.
    assert {d.step.rung for d in log[whole + 1 :] if not d.step.natural} == {"nearest"}
    assert any("the model failed: PoolError" in d.step.reasons for d in log[whole:])
    # Each column once.
    told = sorted(str(record.args).partition(".bin")[0].rpartition("/")[2] for record in caplog.records)
    assert told == sorted({"fingerprints", "texture_ends", *BY_ROWS} - {"start_onset_s"})


def test_songs_that_are_gone_for_a_moment_are_heard_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream.choosing.bans, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(stream.choosing.bans, "LONGEST_WAIT_S", 0.05)
    music = write_songs(tmp_path / "music", [6, 6])
    engine = Engine.open(build(music, tmp_path / "pool"), RANDOM, live=True)

    def render_until(silent: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while engine.render(RATE_HZ // 10).any() == silent:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    try:
        engine.render(RATE_HZ)
        for _ in range(2):
            losses = engine.now().losses
            music.rename(tmp_path / "elsewhere")
            render_until(silent=True)
            assert engine.now().lost > 0 and engine.now().losses > losses, "it is lost anew"
            (tmp_path / "elsewhere").rename(music)
            render_until(silent=False)
        assert sum("the stream is silent" in record.getMessage() for record in caplog.records) == 2
        music.rename(tmp_path / "elsewhere")
        monkeypatch.setattr(plan_ahead, "PATIENCE_S", 0.0)
        with pytest.raises(EndlosError, match="none of the songs can be read any more"):
            render_until(silent=False)
            render_until(silent=True)
            render_until(silent=False)
    finally:
        engine.close()


@pytest.mark.parametrize("live", [True, False])
def test_a_judged_join_is_kept_with_the_pool_where_it_was_heard(tmp_path: Path, live: bool) -> None:
    pool = build(write_songs(tmp_path / "music", [9, 8]), tmp_path / "pool")
    log: list[Decision] = []
    engine = Engine.open(pool, RANDOM, on_decision=log.append, live=live)
    try:
        assert engine.now().join is None
        while engine.now().join is None:
            engine.render(RATE_HZ // 10)
        join, decision = engine.now().join, next(d for d in log if d.before and not d.step.natural)
        assert join is not None and decision.before is not None
        before, after = decision.before.key, decision.step.chunk.key
        assert (join.from_hash, join.to_hash) == (before.audio_hash, after.audio_hash)
        assert (join.from_end_sample, join.to_start_sample) == (before.end_sample, after.start_sample)
        engine.judge(join, liked=False)
    finally:
        engine.close()
    (kept,) = labelled_joins(pool)
    assert kept.label == 0 and kept.from_end_sample == join.from_end_sample


def test_a_judgement_reaches_the_planner_while_somebody_else_holds_the_file(
    pool: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(pool, tmp_path / "pool"))
    watch, joins = PoolWatch(copy, RANDOM, live=False), JoinPlanner(RANDOM)
    planner = Planner(watch.open(), RANDOM.planner)
    first, second = planner.generation.pool.chunk_keys()[:2]
    heard = HeardJoin(
        from_hash=first.audio_hash,
        from_end_sample=first.end_sample,
        to_hash=second.audio_hash,
        to_start_sample=second.start_sample,
    )
    told = ToldJoins(Past(None), joins, copy, [], watch.judged)
    for liked, expected in ((False, ([], [1])), (True, ([1], [])), (None, ([], []))):
        told.label(heard, liked=liked)
        with closing(sqlite3.connect(copy / STATE_FILE)) as other:
            other.execute("BEGIN EXCLUSIVE")
            watch.look(planner)
        rows = planner._search.liking.after(0)
        assert tuple(found.tolist() for found in rows) == expected
    watch.close()


@pytest.mark.parametrize("live", [True, False])
def test_a_stream_does_not_begin_with_songs_that_are_gone(tmp_path: Path, live: bool) -> None:
    music = write_songs(tmp_path / "music", [6])
    pool = build(music, tmp_path / "pool")
    music.rename(tmp_path / "elsewhere")
    with pytest.raises(EndlosError, match="none of the songs can be read"):
        Engine.open(pool, RANDOM, live=live)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PoolWatch]]:
    """How often a stream has looked for a newer pool; it does so all the time."""
    looked = []
    look = PoolWatch._look

    def counted(watch: PoolWatch) -> None:
        look(watch)
        looked.append(watch)

    monkeypatch.setattr(plan_ahead, "REFRESH_S", 0.02)
    monkeypatch.setattr(PoolWatch, "_look", counted)
    yield looked


def test_a_newer_pool_that_cannot_be_used_is_told_once(
    tmp_path: Path, looked: list[PoolWatch], caplog: pytest.LogCaptureFixture
) -> None:
    music = write_songs(tmp_path / "music", [6, 1.6])
    pool = build(music, tmp_path / "pool")
    opened = Engine.open(pool, RANDOM, live=True)
    try:
        (music / "song0.flac").unlink()
        build(music, pool)
        before, deadline = len(looked), time.monotonic() + PATIENCE_S
        while len(looked) < before + 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        opened.close()
    assert [record.getMessage() for record in caplog.records if "left aside" in record.getMessage()] == [
        f"the newer pool is left aside: {pool} holds a single chunk and a stream needs two; "
        "add music, or cut it shorter"
    ]


def empty_newest(pool: Path) -> None:
    for path in max((pool / "columns").iterdir()).iterdir():
        if path.is_file():
            path.write_bytes(b"")


def remove_newest(pool: Path) -> None:
    shutil.rmtree(max((pool / "columns").iterdir()))


@pytest.mark.parametrize(
    ("damage", "raised"),
    [
        (empty_newest, None),
        (remove_newest, None),
        (lambda pool: None, ValueError("cannot reshape array")),
        (lambda pool: None, MemoryError()),
        (lambda pool: None, OSError(5, "Input/output error")),
    ],
)
def test_whatever_is_wrong_with_a_newer_pool_the_stream_stays_in_the_old_one(
    tmp_path: Path,
    looked: list[PoolWatch],
    damage: Callable[[Path], None],
    raised: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    music = write_songs(tmp_path / "music", [6, 5])
    pool, played = build(music, tmp_path / "pool"), tmp_path / "played"
    played.symlink_to(shutil.copytree(pool, tmp_path / "older"))
    write_songs(music, [4], first=7)
    build(music, pool)
    damage(pool)
    engine = Engine.open(played, RANDOM, live=True)
    try:
        if raised is not None:

            def fails(*_: object, **__: object) -> Generation:
                raise raised

            monkeypatch.setattr(stream.engine.newer, "open_generation", fails)
        # In one stroke, as a build publishes.
        (tmp_path / "link").symlink_to(pool)
        (tmp_path / "link").replace(played)
        before = len(looked)
        wait_until(lambda: len(looked) > before + 5, "it looks again and again")
        assert np.isfinite(engine.render(20 * RATE_HZ)).all()
        assert engine.now().songs == 2
    finally:
        engine.close()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1 and told[0].getMessage().startswith("the newer pool is left aside: ")
    assert raised is None or type(raised).__name__ in told[0].getMessage()
    assert told[0].exc_info is None


@pytest.mark.parametrize("taken", [True, False])
def test_decisions_do_not_wait_for_a_newer_pool_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    music = write_songs(tmp_path / "music", [6, 5])
    pool = build(music, tmp_path / "pool")
    watch = PoolWatch(pool, RANDOM, live=False)
    planner = Planner(watch.open(), RANDOM.planner)
    write_songs(music, [4], first=7)
    build(music, pool)
    goes_on, asked = threading.Event(), threading.Semaphore(0)
    opened: list[Generation] = []
    closed: list[Generation] = []

    def hangs(*arguments: Any, **options: Any) -> Generation:
        asked.release()
        assert goes_on.wait(PATIENCE_S)
        opened.append(open_generation(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(stream.engine.newer, "open_generation", hangs)
    monkeypatch.setattr(Generation, "close", lambda generation: closed.append(generation))
    assert watch.look(planner) is None
    assert asked.acquire(timeout=PATIENCE_S)
    for _ in range(5):
        assert watch.look(planner) is None and not opened, "it is not waited for"
    assert not asked.acquire(blocking=False), "it is opened once"
    if not taken:
        watch.close()
        goes_on.set()
        wait_until(lambda: closed == opened != [], "what nobody takes is closed")
        return
    goes_on.set()
    found: list[Generation] = []

    def looks() -> bool:
        newer = watch.look(planner)
        if newer is not None:
            found.append(newer)
        return newer is not None

    wait_until(looks, "it is there")
    assert len(found[0].pool.songs) == 3
    planner.adopt(found[0])
    for _ in range(5):
        assert watch.look(planner) is None
    assert len(opened) == 1 and not closed


def test_a_pool_that_nobody_writes_into_is_not_opened_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = build(write_songs(tmp_path / "music", [6, 5]), tmp_path / "pool")
    watch = PoolWatch(pool, RANDOM, live=False)
    planner = Planner(watch.open(), RANDOM.planner)
    asked: list[Path] = []

    def current(folder: Path) -> int | None:
        asked.append(folder)
        return current_generation(folder)

    monkeypatch.setattr(stream.engine.newer, "current_generation", current)

    def look() -> None:
        assert watch.look(planner) is None
        wait_until(lambda: not watch._looking, "it has looked")

    for _ in range(3):
        look()
    assert asked == [pool]
    with closing(sqlite3.connect(pool / DATABASE_FILE)) as database, database:
        database.execute("INSERT INTO meta VALUES ('of', 'others')")
    for _ in range(3):
        look()
    assert asked == [pool] * 2
    watch.close()


def test_the_log_file_has_a_line_for_each_decision(pool: Path, tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with DecisionLog(path) as log:
        Engine.open(pool, RANDOM, on_decision=log).render(20 * RATE_HZ)
    lines = path.read_text().splitlines()
    assert len(lines) > 10 and lines[0].startswith('{"n": 0, "t_out_s": 0.0')
    with pytest.raises(EndlosError, match="cannot be written"):
        DecisionLog(tmp_path / "missing" / "decisions.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_log_does_not_end_the_stream(pool: Path) -> None:
    with DecisionLog(Path("/dev/full")) as log:
        engine = Engine.open(pool, RANDOM, on_decision=log)
        assert len(engine.render(20 * RATE_HZ)) == 20 * RATE_HZ
        engine.close()
        assert log.lost_lines > 10


def test_a_pool_of_one_chunk_is_refused(tmp_path: Path) -> None:
    pool = build(write_songs(tmp_path / "music", [1.6]), tmp_path / "pool")
    with pytest.raises(PoolError, match="single chunk"):
        Engine.open(pool, RANDOM)


def test_no_pool_and_no_model(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="is not a pool"):
        Engine.open(tmp_path, RANDOM)
    with pytest.raises(ModelError, match="is not a model"):
        Engine.open(pool, EngineSettings(model=tmp_path))


@pytest.mark.parametrize(
    "wrong", [{"engine_rate_hz": 22_050}, {"fade_s": -1.0}, {"target_lufs": 3.0}, {"plan_ahead": 0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EndlosError):
        EngineSettings(**wrong)  # type: ignore[arg-type]
