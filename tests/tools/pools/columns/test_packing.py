"""Chunks stand in the columns once, so that a song more costs that song and what is gone makes room."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stream.pool.columns
import tools.pools.generations
import tools.pools.tidying
from model.base.errors import PoolError
from model.base.stored_rows import StoredRows
from stream.pool.columns import column_file, columns, record_type
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import Pool, open_pool
from stream.pool.traits import TRAIT_COLUMNS
from tests.support.columns import current_column, edit_column
from tests.support.earlier_pools import make_schema_3
from tests.support.laid import LaidPool
from tests.support.music import quick_settings, write_music
from tools.pools.build import build_pool
from tools.pools.check import check_pool

SEEN = ("start_sample", "fingerprints", "heads", "tails", "spectra")


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> LaidPool:
    return LaidPool(tmp_path_factory.mktemp("packing"), [f"{name}.wav" for name in "bcde"])


@pytest.fixture
def out(laid: LaidPool) -> Path:
    return laid.lay()


@pytest.fixture
def music(laid: LaidPool, out: Path) -> Path:
    return laid.music


def _of_songs(pool: Pool) -> dict[str, dict[str, bytes]]:
    """What is kept of each song, by its name."""
    found = {}
    for number, song in enumerate(pool.songs):
        rows = np.flatnonzero(pool.chunk_song == number)
        found[song.name] = {name: np.asarray(getattr(pool, name)[rows]).tobytes() for name in SEEN}
    return found


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_every_chunk_stands_once_and_nowhere_else(out: Path) -> None:
    pool = open_pool(out)
    assert _bytes(out / "columns") == len(pool) * record_type(pool.edge_samples).itemsize
    assert list((out / "analysis").iterdir()) == []
    assert [path for path in (out / "generations").rglob("*") if path.is_file()] == []


def test_a_song_more_costs_that_song_also_while_the_pool_is_open(music: Path, out: Path) -> None:
    pool = open_pool(out)
    before, kept = _of_songs(pool), current_column(out, "spectra").read_bytes()
    node = current_column(out, "spectra").stat().st_ino
    write_music(music, ["a.wav"])
    assert build_pool([music], out, quick_settings()).analysed == 1
    after = open_pool(out)
    assert [song.name for song in after.songs] == ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav"]
    path = current_column(out, "spectra")
    assert path.stat().st_ino == node and path.read_bytes()[: len(kept)] == kept
    added = int(np.sum(after.chunk_song == 0))
    assert path.stat().st_size - len(kept) == added * columns(after.edge_samples)["spectra"].row_bytes
    assert {name: values for name, values in _of_songs(after).items() if name != "a.wav"} == before
    assert _of_songs(pool) == before
    assert check_pool(out, deep=True) == []


def test_a_song_less_writes_no_column(music: Path, out: Path) -> None:
    kept = {path: path.read_bytes() for path in (out / "columns").rglob("*.bin")}
    before = _of_songs(open_pool(out))
    (music / "c.wav").unlink()
    assert build_pool([music], out, quick_settings()).removed == 1
    assert {path: path.read_bytes() for path in (out / "columns").rglob("*.bin")} == kept
    del before["c.wav"]
    assert _of_songs(open_pool(out)) == before


def test_what_is_long_gone_makes_room(music: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.pools.tidying, "KEPT_LEFT_S", -1.0)
    pool = open_pool(out)
    before = _of_songs(pool)
    folder = current_column(out, "heads").parent
    for name in ("c.wav", "d.wav"):
        (music / name).unlink()
    for number in range(3):
        # The generations that still name them have to go first.
        write_music(music, [f"{number}.wav"])
        build_pool([music], out, quick_settings())
    after = open_pool(out)
    assert current_column(out, "heads").parent != folder and not folder.exists()
    assert _bytes(out / "columns") == len(after) * record_type(after.edge_samples).itemsize
    found = _of_songs(after)
    assert {name: found[name] for name in ("b.wav", "e.wav")} == {
        name: before[name] for name in ("b.wav", "e.wav")
    }
    # Who had them open reads on.
    assert _of_songs(pool) == before
    assert check_pool(out, deep=True) == []


def test_what_was_packed_and_not_published_is_packed_again(
    music: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _of_songs(open_pool(out))
    write_music(music, ["a.wav"])

    def killed(folder: Path, generation: int) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(tools.pools.generations, "generation_folder", killed)
    with pytest.raises(KeyboardInterrupt):
        build_pool([music], out, quick_settings())
    monkeypatch.undo()
    assert _of_songs(open_pool(out)) == before
    assert len(list((out / "analysis").iterdir())) == 1
    size = current_column(out, "heads").stat().st_size
    assert build_pool([music], out, quick_settings()).analysed == 0
    assert current_column(out, "heads").stat().st_size == size
    assert check_pool(out, deep=True) == []


def _cut(out: Path) -> None:
    os.truncate(current_column(out, "spectra"), current_column(out, "spectra").stat().st_size - 1)


def _overlap(out: Path) -> None:
    def change(starts: Any) -> None:
        starts[4] -= 5

    edit_column(open_pool(out), "start_sample", change)


def _strange(out: Path) -> None:
    edit_column(open_pool(out), "start_chroma", lambda chroma: chroma[-1].fill(7.0))


def _gone(out: Path) -> None:
    column_file(current_column(out, "tails").parent, "tails").unlink()


@pytest.mark.parametrize(("damage", "lost"), [(_cut, 1), (_overlap, 1), (_strange, 1), (_gone, 4)])
def test_what_is_lost_is_analysed_anew_and_nothing_else(
    music: Path, out: Path, damage: Callable[[Path], None], lost: int
) -> None:
    before = _of_songs(open_pool(out))
    damage(out)
    with pytest.raises(PoolError, match="run `endlos pool build` again"):
        open_pool(out)
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.analysed) == (4, lost)
    assert _of_songs(open_pool(out)) == before
    assert check_pool(out, deep=True) == []


def test_an_analysis_that_was_made_anew_and_not_published_is_published(music: Path, out: Path) -> None:
    with closing(sqlite3.connect(out / DATABASE_FILE)) as database, database:
        database.execute("DELETE FROM places WHERE first_row = 0")
        ((name, key),) = database.execute(
            """SELECT songs.audio_hash, analysis_key FROM songs
               LEFT JOIN places USING (audio_hash, analysis_key) WHERE first_row IS NULL"""
        ).fetchall()
    pool = open_pool(out)
    rows = np.zeros(3, dtype=record_type(pool.edge_samples))
    (number,) = [number for number, song in enumerate(pool.songs) if song.audio_hash == name]
    for column in ("start_sample", "end_sample", "fingerprints"):
        rows[column] = np.asarray(getattr(pool, column)[pool.chunk_song == number])
    rows["heads"], rows["start_lufs"] = 0.5, -20.0
    np.save(out / "analysis" / f"{name}-{key}.npy", rows)
    assert build_pool([music], out, quick_settings()).analysed == 0
    after = open_pool(out)
    assert after.generation > pool.generation
    assert np.all(np.asarray(after.heads[after.chunk_song == number]) == 0.5)


def test_a_pool_with_columns_for_each_generation_is_taken_over(music: Path, out: Path) -> None:
    before = _of_songs(open_pool(out))
    make_schema_3(out)
    with pytest.raises(PoolError, match=r"has schema 3, .*; run `endlos pool build` again, which takes over"):
        open_pool(out)
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.analysed, report.removed) == (4, 0, 0)
    assert _of_songs(open_pool(out)) == before
    assert [path.name for path in out.rglob("*.npy")] == []
    assert check_pool(out, deep=True) == []


def test_a_pool_that_was_taken_over_and_not_built_is_taken_over_by_the_next_build(
    music: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_schema_3(out)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tools.pools.generations, "pack", killed)
    with pytest.raises(KeyboardInterrupt):
        build_pool([music], out, quick_settings())
    monkeypatch.undo()
    with pytest.raises(
        PoolError, match="was built by an earlier endlos; run `endlos pool build` again, which"
    ):
        open_pool(out)
    assert build_pool([music], out, quick_settings()).analysed == 0
    assert len(open_pool(out).songs) == 4


def test_a_large_pool_stays_in_its_files_and_is_the_same(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = open_pool(out)
    monkeypatch.setattr(stream.pool.columns, "HELD_ROWS", 0)
    stored = open_pool(out)
    assert stored.sides is not None and stored.textures is not None
    assert held.sides is not None and held.textures is not None
    assert isinstance(stored.fingerprints, StoredRows) and isinstance(stored.sides.starts, StoredRows)
    assert isinstance(held.fingerprints, np.ndarray)
    np.testing.assert_array_equal(stored.fingerprints, held.fingerprints)
    assert isinstance(stored.traits.start_chroma, StoredRows)
    rows = np.array([3, 1])
    for name in TRAIT_COLUMNS:
        np.testing.assert_array_equal(getattr(stored.traits, name), getattr(held.traits, name))
        np.testing.assert_array_equal(stored.traits.of(name, rows), getattr(held.traits, name)[rows])
    some = np.array([7, 0, 3])
    for candidates in (None, some):
        np.testing.assert_array_equal(
            stored.sides.distances_db(5, candidates), held.sides.distances_db(5, candidates)
        )
        np.testing.assert_array_equal(
            stored.textures.distances(5, candidates), held.textures.distances(5, candidates)
        )
    np.testing.assert_array_equal(stored.sides.take(some).ends, held.sides.take(some).ends)
    # What cannot be read any more is unknown.
    os.truncate(current_column(out, "end_chroma"), 0)
    assert not stored.traits.of("end_chroma", rows).any()
