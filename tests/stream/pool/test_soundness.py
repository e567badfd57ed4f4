"""A database whose fields hold anything is found out, whatever it is, and a sound one is not doubted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from stream.pool.database import SCHEMA
from stream.pool.soundness import database_problems

_SONG = """INSERT INTO songs VALUES (1, '/music', 'a.wav', 'audio', 'file', 'key', 1, 2, 3, 44100, 2, 400,
    'title', '', '', NULL, -14, 0, 1, 'cut', 4, NULL, NULL, NULL, 0)"""


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript(SCHEMA)
        database.execute(_SONG)
        database.execute("INSERT INTO generations VALUES (1, 1, 440, 0.5, 1, 4)")
        database.execute("INSERT INTO generation_songs VALUES (1, 0, 1, 0)")
        yield database


def test_what_is_sound_is_not_doubted(database: sqlite3.Connection) -> None:
    assert database_problems(database) == []
    database.execute("UPDATE songs SET cover = x'00', outline = x'01', left_s = 5")
    assert database_problems(database) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE songs SET frames = 'many'", "1 rows of songs with fields of another kind"),
        ("UPDATE songs SET size_bytes = 1.5", "1 rows of songs with fields of another kind"),
        ("UPDATE songs SET title = x'ff'", "1 rows of songs with fields of another kind"),
        ("UPDATE songs SET path = 'a' || char(0)", "1 rows of songs with fields of another kind"),
        ("UPDATE songs SET cover = 'text'", "1 rows of songs with fields of another kind"),
        ("UPDATE generations SET created_s = 'x'", "1 rows of generations with fields of another kind"),
        ("UPDATE generation_songs SET song_id = 7", "1 rows without an owner"),
        ("DROP TABLE places", "no such table: places"),
        ("ALTER TABLE songs RENAME COLUMN cut TO cat", "no such column: cut"),
    ],
)
def test_what_is_damaged_is_named(database: sqlite3.Connection, change: str, problem: str) -> None:
    database.execute(change)
    assert database_problems(database) == [problem]


def test_all_of_it_is_named(database: sqlite3.Connection) -> None:
    database.execute("UPDATE songs SET frames = 'many', title = x'ff'")
    database.execute("UPDATE generation_songs SET song_id = 7")
    assert database_problems(database) == [
        "1 rows without an owner",
        "1 rows of songs with fields of another kind",
    ]
