"""Covers are found, told by what they are, and never served as what they are not."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from model.base.errors import PoolError
from stream.pool.covers import covered_songs, image_type, read_cover
from stream.pool.pool import Pool, open_pool

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def pool(tiny_pool: Path, tmp_path: Path) -> Pool:
    return open_pool(Path(shutil.copytree(tiny_pool, tmp_path / "pool")))


def paint(pool: Pool, song_id: int, cover: object) -> None:
    with closing(sqlite3.connect(pool.folder / "pool.db")) as connection, connection:
        connection.execute("UPDATE songs SET cover = ? WHERE song_id = ?", (cover, song_id))


def test_a_cover_is_found_where_there_is_one(pool: Pool) -> None:
    first, second = pool.songs[0].song_id, pool.songs[1].song_id
    assert covered_songs(pool) == frozenset()
    paint(pool, first, PNG)
    assert covered_songs(pool) == {first}
    found = read_cover(pool, first)
    assert found is not None
    assert (found.data, found.content_type) == (PNG, "image/png")
    assert read_cover(pool, second) is None
    assert read_cover(pool, 999) is None


@pytest.mark.parametrize("cover", [b"<svg onload='alert(1)'/>", b"<html>", b"", "a text", 3])
def test_what_is_no_picture_is_not_served(pool: Pool, cover: object) -> None:
    paint(pool, pool.songs[0].song_id, cover)
    assert read_cover(pool, pool.songs[0].song_id) is None


def test_kinds_of_pictures() -> None:
    assert image_type(b"\xff\xd8\xff\xe0rest") == "image/jpeg"
    assert image_type(b"GIF89a") == "image/gif"
    assert image_type(b"RIFF\x10\0\0\0WEBPVP8 ") == "image/webp"
    assert image_type(b"RIFF\x10\0\0\0WAVEfmt ") is None


def test_a_database_that_is_gone_is_one_sentence(pool: Pool) -> None:
    (pool.folder / "pool.db").unlink()
    with pytest.raises(PoolError, match="is not a pool"):
        covered_songs(pool)
