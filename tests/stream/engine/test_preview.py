"""A join that is heard again sounds to the sample as it did in the stream, and one to come as it will."""

import gc
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import open_generation
from stream.choosing.planner import Planner
from stream.choosing.ready.plan_ahead import KEPT_S
from stream.choosing.ready.step_source import Immediate
from stream.choosing.settings import PlannerSettings
from stream.engine import past
from stream.engine.engine import Engine
from stream.engine.past import Past
from stream.engine.preview import AROUND_S, Preview
from stream.engine.renderer import Renderer
from stream.engine.settings import EngineSettings
from stream.engine.told_joins import ToldJoins
from stream.joins.join_planner import JoinPlanner
from stream.pool.feedback import STATE_FILE, labelled_joins
from stream.scoring.settings import ScoringSettings
from tests.support.pools import noise_song
from tests.support.waiting import PATIENCE_S
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings

RATE_HZ = 44_100
AROUND = round(AROUND_S * RATE_HZ)
RANDOM = EngineSettings(planner=PlannerSettings(strategy="random", seed=4))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of unlike loudness: joins have gains that are released after them."""
    folder = tmp_path_factory.mktemp("previews")
    (folder / "music").mkdir()
    for number, rate_hz in enumerate((RATE_HZ, 48_000, RATE_HZ, RATE_HZ)):
        audio = noise_song(20, number, rate_hz)
        audio[len(audio) // 3 :] *= 0.3 + 0.2 * number
        soundfile.write(folder / "music" / f"song{number}.flac", audio, rate_hz)
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=2.5), edge_s=0.5, jobs=1)
    build_pool([folder / "music"], folder / "pool", settings)
    return folder / "pool"


@pytest.fixture
def engine(pool: Path) -> Iterator[Engine]:
    opened = Engine.open(pool, RANDOM)
    yield opened
    opened.close()
    (pool / STATE_FILE).unlink(missing_ok=True)


def window(stream: FloatArray, time_s: float | None) -> FloatArray:
    """What a listener heard around a join, with silence where the recording has nothing."""
    assert time_s is not None
    middle = round(time_s * RATE_HZ)
    padded = np.concatenate([np.zeros((AROUND, 2), np.float32), stream, np.zeros((AROUND, 2), np.float32)])
    return padded[middle : middle + 2 * AROUND]


def test_every_join_is_heard_again_to_the_sample(engine: Engine) -> None:
    """Others lie within its six seconds, before and after, and some were jumped to."""
    blocks = []
    for second in range(70):
        if second in (20, 21, 33):
            engine.skip()
        blocks.append(engine.render(RATE_HZ))
    stream = np.concatenate(blocks)
    joins = engine.joins()
    assert len(joins) > 15 and [join.n for join in joins] == sorted({join.n for join in joins})
    compared = 0
    for join in joins:
        assert join.time_s is not None
        if AROUND_S <= join.time_s <= 70 - AROUND_S:
            again = engine.preview(join.n)
            assert again.dtype == np.float32
            np.testing.assert_array_equal(again, window(stream, join.time_s))
            compared += 1
    assert compared > 12


def test_at_the_ends_of_what_is_known_songs_go_on_as_they_are(engine: Engine) -> None:
    stream = engine.render(15 * RATE_HZ)
    joins = engine.joins()
    first, last = joins[0], joins[-1]
    assert first.time_s is not None and last.time_s is not None and first.time_s < AROUND_S
    begun = round((AROUND_S - first.time_s) * RATE_HZ)
    np.testing.assert_array_equal(engine.preview(first.n)[begun:], window(stream, first.time_s)[begun:])
    again = engine.preview(last.n)
    there = min(2 * AROUND, round((15 - last.time_s + AROUND_S) * RATE_HZ))
    np.testing.assert_array_equal(again[:there], window(stream, last.time_s)[:there])
    assert len(again) == 2 * AROUND and np.abs(again[-RATE_HZ:]).max() > 0.01


def test_hearing_a_join_again_changes_nothing_in_the_stream(pool: Path, engine: Engine) -> None:
    other = Engine.open(pool, RANDOM)
    for _ in range(20):
        block = engine.render(RATE_HZ)
        np.testing.assert_array_equal(block, other.render(RATE_HZ))
        for join in engine.joins()[-2:]:
            engine.preview(join.n)
    other.close()


def test_a_join_to_come_is_heard_before_the_stream_gets_there(pool: Path) -> None:
    live = Engine.open(pool, RANDOM, live=True)
    blocks = [live.render(RATE_HZ)]

    def rendered_until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline
            blocks.append(live.render(RATE_HZ // 10))
            time.sleep(0.01)

    try:
        rendered_until(lambda: len(live.joins()) > 2 and live.upcoming() is not None)
        coming = live.upcoming()
        assert coming is not None and coming.time_s is not None and coming.in_s is not None
        assert coming.in_s == pytest.approx(coming.time_s - live.now().time_s, abs=0.2)
        before = live.preview(coming.n)
        rendered_until(lambda: live.now().time_s > coming.time_s + 2 * AROUND_S)  # type: ignore[operator]
        came = next(join for join in live.joins() if join.n == coming.n)
        assert (came.time_s, came.heard, came.fade_s) == (coming.time_s, coming.heard, coming.fade_s)
        assert (came.left_s, came.entered_s, came.in_s) == (coming.left_s, coming.entered_s, None)
        following = next(join for join in live.joins() if join.n > came.n)
        assert following.time_s is not None and came.time_s is not None
        # Until the next join, of which nothing was known yet.
        known = round((following.time_s - following.fade_s - came.time_s + AROUND_S) * RATE_HZ) - 500
        heard = window(np.concatenate(blocks), came.time_s)
        assert known > AROUND + RATE_HZ // 2
        np.testing.assert_array_equal(before[:known], heard[:known])
    finally:
        live.close()


def test_a_record_says_where_its_join_is_and_why(engine: Engine) -> None:
    engine.render(30 * RATE_HZ)
    now = engine.joins()[-1]
    pool = engine._planner.generation.pool
    assert pool.songs[pool.chunk_song[now.chunk_from]].audio_hash == now.heard.from_hash
    assert pool.songs[pool.chunk_song[now.chunk_to]].audio_hash == now.after.audio_hash
    assert pool.end_sample[now.chunk_from] == now.heard.from_end_sample
    assert now.left_s == pytest.approx(pool.end_sample[now.chunk_from] / now.before.sample_rate_hz, abs=2.0)
    assert now.rung == "random" and now.candidates == len(pool) and now.label is None
    with pytest.raises(EndlosError, match="no join 99999"):
        engine.preview(99_999)


def test_a_join_is_judged_by_its_number_and_the_judgement_taken_back(pool: Path, engine: Engine) -> None:
    engine.render(20 * RATE_HZ)
    first, second = engine.joins()[-2:]
    assert engine.judge_join(first.n, True).label == 1
    assert engine.judge_join(second.n, False).label == 0
    assert [join.label for join in engine.joins()[-2:]] == [1, 0]
    assert {join.label for join in labelled_joins(pool)} == {0, 1}
    again = Engine.open(pool, RANDOM)
    again.render(20 * RATE_HZ)
    assert {join.heard: join.label for join in again.joins() if join.label is not None} == {
        first.heard: 1,
        second.heard: 0,
    }
    again.close()
    assert engine.judge_join(second.n, None).label is None
    assert [join.label for join in labelled_joins(pool)] == [1]


def test_a_join_to_come_that_is_disliked_does_not_come(pool: Path, engine: Engine) -> None:
    settings = EngineSettings(planner=PlannerSettings(seed=4, min_phrase_s=8.0, max_phrase_s=12.0))
    live = Engine.open(pool, settings, live=True)
    try:
        deadline = time.monotonic() + PATIENCE_S
        coming = live.upcoming()
        while coming is None or coming.in_s is None or coming.in_s < KEPT_S + 2.0:
            assert time.monotonic() < deadline
            live.render(RATE_HZ // 4)
            time.sleep(0.01)
            coming = live.upcoming()
        assert live.judge_join(coming.n, False).label == 0
        until_s = live.now().time_s + coming.in_s + 2.0
        while live.now().time_s < until_s:
            # No faster than a listener hears, so that the planner has its time.
            live.render(RATE_HZ // 10)
            time.sleep(0.02)
        joins = [join for join in live.joins() if join.n >= coming.n]
        assert coming.heard not in [join.heard for join in joins]
    finally:
        live.close()


def test_one_join_is_made_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.render(20 * RATE_HZ)
    entered, gate = threading.Event(), threading.Event()
    render = Preview.render

    def slow(self: Preview, *args: object) -> FloatArray:
        entered.set()
        assert gate.wait(PATIENCE_S)
        return render(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Preview, "render", slow)
    n = engine.joins()[-1].n
    heard: list[FloatArray] = []
    thread = threading.Thread(target=lambda: heard.append(engine.preview(n)))
    thread.start()
    assert entered.wait(PATIENCE_S)
    with pytest.raises(EndlosError, match="another join"):
        engine.preview(n)
    gate.set()
    thread.join(PATIENCE_S)
    assert len(heard) == 1 and len(engine.preview(n)) == 2 * AROUND


def test_records_hold_no_generation_and_are_counted(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MOST_PAST_JOINS", 5)
    generation = open_generation(pool, ScoringSettings(model=None), engine_rate_hz=RATE_HZ)
    joins, kept = JoinPlanner(RANDOM), Past(None)
    told = ToldJoins(kept, joins, pool, [], lambda judged: None)
    renderer = Renderer(Immediate(Planner(generation, RANDOM.planner)), joins, on_decision=kept)
    renderer.render(60 * RATE_HZ)
    assert len(kept.joins) == 5
    gone = weakref.ref(generation)
    generation.close()
    del generation, renderer
    gc.collect()
    assert gone() is None
    # A pool without the song that was left.
    shutil.copytree(pool.parent / "music", tmp_path / "music")
    (tmp_path / "music" / kept.joins[-1].record.before.name).unlink()
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=2.5), edge_s=0.5, jobs=1)
    build_pool([tmp_path / "music"], tmp_path / "pool", settings)
    other = open_generation(tmp_path / "pool", ScoringSettings(model=None), engine_rate_hz=RATE_HZ)
    last = told.joins(other)[-1]
    assert last.chunk_from == -1
    with pytest.raises(EndlosError, match="has left the pool"):
        told.preview(last.n, other)
    other.close()
