"""A pool is read in whole generations, and one sentence refuses whatever is none."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.base.errors import PoolError
from model.base.stored_rows import StoredRows
from model.features.edges import EDGE_RATE_HZ
from stream.pool.columns import StoredColumns
from stream.pool.database import DATABASE_FILE, connect, reading_database
from stream.pool.pool import (
    FINGERPRINT_FRAMES,
    Pool,
    current_generation,
    fingerprint,
    generation_folder,
    open_pool,
)
from tests.support.columns import current_column
from tests.support.music import quick_settings, write_music
from tools.pools.build import build_pool

Damage = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_music(tmp_path / "music", ["a.wav", "b.wav"])
    build_pool([tmp_path / "music"], tmp_path / "pool", quick_settings())
    return tmp_path / "pool"


def _execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database, database:
        for statement in statements:
            database.execute(statement)


def test_successors_end_with_each_song(folder: Path) -> None:
    pool = open_pool(folder)
    assert pool.chunk_song.tolist() == [0, 0, 0, 1, 1, 1]
    assert pool.successors().tolist() == [1, 2, -1, 4, 5, -1]


def test_positions_are_in_seconds_of_the_song(folder: Path) -> None:
    pool = open_pool(folder)
    assert pool.start_s() == pytest.approx([0, 2, 4] * 2, abs=0.02)
    assert pool.end_s() == pytest.approx([2, 4, 6] * 2, abs=0.02)
    assert pool.edge_s == pool.edge_samples / EDGE_RATE_HZ == pytest.approx(0.5)


def test_edges_stay_in_their_files(folder: Path) -> None:
    pool = open_pool(folder)
    assert all(isinstance(column, StoredRows) for column in (pool.heads, pool.tails, pool.spectra))


def test_a_fingerprint_is_the_first_and_the_last_frames() -> None:
    chunk = np.arange(200, dtype=np.float32).reshape(100, 2)
    prints = fingerprint(chunk)
    assert prints.shape == (2, FINGERPRINT_FRAMES, 2)
    assert prints[0, 0].tolist() == [0, 1]
    assert prints[1, -1].tolist() == [198, 199]


def _no_database(folder: Path) -> None:
    (folder / DATABASE_FILE).unlink()


def _garbage(folder: Path) -> None:
    (folder / DATABASE_FILE).write_bytes(b"no database, no database" * 500)


def _other_schema(folder: Path) -> None:
    _execute(folder, "UPDATE meta SET value = '99' WHERE key = 'schema'")


def _unlisted_generation(folder: Path) -> None:
    _execute(folder, "UPDATE meta SET value = '77' WHERE key = 'generation'")


def _nothing_published(folder: Path) -> None:
    _execute(folder, "DELETE FROM meta WHERE key = 'generation'")


def _no_chunks(folder: Path) -> None:
    _execute(folder, "UPDATE songs SET chunks = 0")


def _no_table(folder: Path) -> None:
    _execute(folder, "DROP TABLE generations")


def _short_fingerprint(folder: Path) -> None:
    path = current_column(folder, "fingerprints")
    path.write_bytes(path.read_bytes()[: 6 * 2 * 5 * 2 * 4])


def _heads(folder: Path) -> Path:
    return current_column(folder, "heads")


def _no_heads(folder: Path) -> None:
    _heads(folder).unlink()


def _other_columns(folder: Path) -> None:
    current_column(folder, "seam_end_values").rename(current_column(folder, "seam_ends"))


def _half_heads(folder: Path) -> None:
    _heads(folder).write_bytes(_heads(folder).read_bytes()[:-1_000])


def _empty_heads(folder: Path) -> None:
    _heads(folder).write_bytes(b"")


def _far_song(folder: Path) -> None:
    _execute(folder, "UPDATE generation_songs SET first_row = 4 WHERE position = 1")


def _far_columns(folder: Path) -> None:
    _execute(folder, "UPDATE generations SET columns = 9")


def _large_columns(folder: Path) -> None:
    _execute(folder, "UPDATE generations SET stored_chunks = 4000000000")


def _columns_nowhere(folder: Path) -> None:
    _execute(folder, "UPDATE generations SET stored_chunks = 'many'")


def _negative_row(folder: Path) -> None:
    _execute(folder, "UPDATE generation_songs SET first_row = -1")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_no_database, "is not a pool: it has no pool.db; build one with `endlos pool build MUSIC --out"),
        (_garbage, r"pool\.db cannot be read as a pool \(file is not a database\); restore it"),
        (_other_schema, "has schema 99, this endlos reads schema 5; delete the pool folder"),
        (_unlisted_generation, "is damaged .generation 77 is current and not listed"),
        (_nothing_published, "holds no chunks yet; run `endlos pool build MUSIC"),
        (_no_chunks, "holds no chunks; build it from music"),
        (_no_table, "is damaged .no such table: generations"),
        (_short_fingerprint, r"fingerprints\.bin cannot be read \(it is damaged: it is shorter than"),
        (_no_heads, r"heads\.bin is not there; run `endlos pool build` again, which analyses anew what is"),
        (_other_columns, r"columns/000001 was written by another endlos.*; run `endlos pool build` again"),
        (_half_heads, r"heads\.bin cannot be read \(it is damaged: it is shorter than the database says"),
        (_empty_heads, r"heads\.bin cannot be read \(it is damaged: it is shorter than the database says"),
        (_far_song, "is said to hold 6 chunks, and songs to stand behind them; run `endlos pool build`"),
        (_far_columns, r"start_sample\.bin is not there"),
        (_large_columns, r"start_sample\.bin cannot be read"),
        (_columns_nowhere, "has columns nowhere"),
        (_negative_row, "is damaged .a song has first_row '-1'"),
    ],
)
def test_what_is_no_pool_gets_one_sentence(folder: Path, damage: Damage, sentence: str) -> None:
    damage(folder)
    with pytest.raises(PoolError, match=sentence):
        open_pool(folder)


def test_a_folder_of_music_is_no_place_for_a_pool(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.mp3").touch()
    for name, built in (("music", "{} --out POOL"), ("nothing", "MUSIC --out {}")):
        place = tmp_path / name
        with pytest.raises(PoolError, match="is not a pool") as refused:
            open_pool(place)
        assert f"`endlos pool build {built.format(place)}`" in str(refused.value)


def test_whatever_comes_of_a_field_is_one_sentence(folder: Path) -> None:
    with (
        pytest.raises(PoolError, match=r"pool\.db is damaged \(fields hold what they cannot\)"),
        reading_database(folder) as connection,
    ):
        (row,) = connection.execute("SELECT 'many'").fetchone()
        int(row)


def test_reading_writes_nothing(folder: Path) -> None:
    with closing(connect(folder)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM songs")


def test_a_transaction_that_was_cut_off_is_undone_by_the_next_reader(folder: Path) -> None:
    # A tiny cache makes SQLite write into the database before the end of the transaction.
    script = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "database.execute('DELETE FROM songs')\n"
        "for key in range(500):\n"
        "    database.execute('INSERT INTO meta VALUES (?, ?)', (f'x{key}', 'x' * 500))\n"
        "os._exit(9)\n"
    )
    before = open_pool(folder)
    killed = subprocess.run([sys.executable, "-c", script, str(folder / DATABASE_FILE)], check=False)
    assert killed.returncode == 9
    assert (folder / f"{DATABASE_FILE}-journal").stat().st_size > 0
    after = open_pool(folder)
    assert np.array_equal(after.start_sample, before.start_sample)


def test_a_pool_that_is_open_outlives_its_generation(folder: Path) -> None:
    pool = open_pool(folder)
    heads = np.array(pool.heads)
    for edge_s in (0.4, 0.3, 0.2):
        build_pool([folder.parent / "music"], folder, quick_settings(edge_s=edge_s))
    assert not generation_folder(folder, pool.generation).exists()
    assert np.array_equal(pool.heads, heads)


def test_a_generation_that_is_replaced_while_it_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = StoredColumns.read
    first = current_generation(folder)

    def late(*arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(StoredColumns, "read", load)
        for edge_s in (0.4, 0.3):
            build_pool([folder.parent / "music"], folder, quick_settings(edge_s=edge_s))
        return load(*arguments)

    monkeypatch.setattr(StoredColumns, "read", late)
    pool: Pool = open_pool(folder)
    assert first is not None
    assert pool.generation > first
    assert pool.edge_s == pytest.approx(0.3, abs=0.001)
