"""The timelines of a pool say what is known of its songs, and a damaged one ends no stream."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stream.doors.timelines import Timelines
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import open_pool
from tests.support.beaten import known_timeline


@pytest.fixture
def damaged_pool(tiny_pool: Path, tmp_path: Path) -> Path:
    """A pool in which no beat can be where it is said to be."""
    own_pool = Path(shutil.copytree(tiny_pool, tmp_path / "pool"))
    falling = known_timeline(10.0, np.array([1.0, 0.5])).encoded()
    with closing(sqlite3.connect(own_pool / DATABASE_FILE)) as database, database:
        database.execute("UPDATE songs SET timeline = ?", (falling,))
    return own_pool


def test_a_damaged_timeline_is_said_once_and_taken_for_unknown(
    damaged_pool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    timelines = Timelines(open_pool(damaged_pool))
    with caplog.at_level(logging.WARNING):
        assert timelines.of(0) is None
        assert timelines.of(0) is None
    assert len(caplog.records) == 1
    assert "its beats cannot be" in caplog.text


def test_timelines_of_a_pool_that_was_away_for_a_while_are_known_again(
    tiny_pool: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_pool = Path(shutil.copytree(tiny_pool, tmp_path / "pool"))
    pool = open_pool(own_pool)
    timelines, known = Timelines(pool), Timelines(pool).of(0)
    assert known is not None
    own_pool.rename(tmp_path / "away")
    with caplog.at_level(logging.WARNING):
        assert timelines.read([0, 1]) == {0: None, 1: None}
        assert timelines.of(0) is None
    assert len(caplog.records) == 1
    (tmp_path / "away").rename(own_pool)
    again = timelines.of(0)
    assert again is not None
    np.testing.assert_array_equal(again.beats_s, known.beats_s)


def test_a_stream_plays_on_over_damaged_timelines(
    damaged_pool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine.open(damaged_pool, EngineSettings())
    try:
        with caplog.at_level(logging.WARNING):
            music = np.concatenate([engine.render(44_100) for _ in range(120)])
    finally:
        engine.close()
    assert "its beats cannot be" in caplog.text, "one was looked at"
    seconds = np.abs(music.reshape(120, -1)).max(axis=1)
    assert (seconds > 0).all()
