"""A timeline is kept with its song, and what is damaged of it is said."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from model.base.errors import PoolError
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import open_pool
from stream.pool.timeline import BANDS_STEP_S, SongTimeline, read_timeline


def timeline() -> SongTimeline:
    return SongTimeline(
        beats_s=np.array([0.1, 0.6000000001, 1.1]),
        beat_positions=np.array([3, 0, -1], dtype=np.int8),
        beats_per_bar=np.array([4, 4, 0], dtype=np.int8),
        beat_confidence=np.array([0.0, 0.5, 1.0], dtype=np.float32),
        voice=np.array([0.0, 1.0], dtype=np.float32),
        bands_db=np.array([[-100.0, -20.2, 0.0]], dtype=np.float32),
    )


def test_what_is_kept_is_read() -> None:
    kept = timeline()
    read = SongTimeline.decoded(kept.encoded())
    np.testing.assert_array_equal(read.beats_s, kept.beats_s)
    np.testing.assert_array_equal(read.beat_positions, kept.beat_positions)
    np.testing.assert_array_equal(read.beats_per_bar, kept.beats_per_bar)
    np.testing.assert_allclose(read.beat_confidence, kept.beat_confidence, atol=1 / 255)
    np.testing.assert_array_equal(read.voice, kept.voice)
    np.testing.assert_allclose(read.bands_db, kept.bands_db, atol=0.25)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"XXXX" + timeline().encoded()[4:],
        timeline().encoded()[:-1],
        timeline().encoded()[:16] + np.array([np.nan, 1.0, 2.0]).tobytes() + timeline().encoded()[40:],
        timeline().encoded()[:16] + np.array([2.0, 1.0, 3.0]).tobytes() + timeline().encoded()[40:],
    ],
)
def test_what_is_no_timeline_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is|^its beats"):
        SongTimeline.decoded(damaged)


def test_a_pool_has_the_timeline_of_each_song(tiny_pool: Path) -> None:
    pool = open_pool(tiny_pool)
    for number, song in enumerate(pool.songs):
        found = read_timeline(pool, number)
        assert found is not None
        assert len(found.bands_db) == int(song.frames / song.sample_rate_hz / BANDS_STEP_S)
        # What is heard of a song is what its bands hold together.
        power = (10.0 ** (found.bands_db.astype(np.float64) / 10.0)).sum(axis=1).mean()
        assert -60.0 < 10.0 * np.log10(power) < 3.0


def test_a_damaged_timeline_is_a_sentence(tiny_pool: Path, tmp_path: Path) -> None:
    own_pool = shutil.copytree(tiny_pool, tmp_path / "pool")
    with closing(sqlite3.connect(own_pool / DATABASE_FILE)) as database, database:
        database.execute("UPDATE songs SET timeline = X'00'")
    with pytest.raises(PoolError, match="is damaged"):
        read_timeline(open_pool(own_pool), 0)
    with closing(sqlite3.connect(own_pool / DATABASE_FILE)) as database, database:
        database.execute("UPDATE songs SET timeline = NULL")
    assert read_timeline(open_pool(own_pool), 0) is None
