"""The database of a pool is sound where SQLite finds no damage, and each field holds what its column is for.

SQLite takes any value in any column, and damage that leaves its pages in order leaves anything there. Whoever
writes a pool looks first: what it reads then needs no doubt, field by field.
"""

import sqlite3
from contextlib import closing
from functools import cache

from stream.pool.database import DATABASE_ERRORS, SCHEMA

MOST_PROBLEMS = 5
"""So many are named."""
_KINDS = {"INTEGER": "integer", "REAL": "real", "TEXT": "text", "BLOB": "blob"}
"""What SQLite calls the type of a value, by that of its column."""


def database_problems(database: sqlite3.Connection) -> list[str]:
    """Return what is wrong with the database of a pool, in a few words each; none where it is sound.

    database: of today's schema. Reads all of it: 0.1 s for 10,000 songs, and what their covers take.
    """
    try:
        return [
            *(
                str(answer)
                for (answer,) in database.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})")
                if answer != "ok"
            ),
            *_orphans(database),
            *_wrong_fields(database),
        ][:MOST_PROBLEMS]
    except DATABASE_ERRORS as error:
        return [str(error)]


def _orphans(database: sqlite3.Connection) -> list[str]:
    orphans = database.execute("PRAGMA foreign_key_check").fetchall()
    return [f"{len(orphans)} rows without an owner"] if orphans else []


def _wrong_fields(database: sqlite3.Connection) -> list[str]:
    found = []
    for table, conditions in _conditions().items():
        (wrong,) = database.execute(f"SELECT count(*) FROM {table} WHERE NOT ({conditions})").fetchone()
        if wrong:
            found.append(f"{wrong} rows of {table} with fields of another kind")
    return found


@cache
def _conditions() -> dict[str, str]:
    """Return what holds of each row of a table, in SQL, by the table's name, as the schema has it."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: " AND ".join(
                _condition(name, kind, required=bool(required or key))
                for _, name, kind, required, _, key in database.execute(f"PRAGMA table_info({table})")
            )
            for table in tables
        }


def _condition(name: str, kind: str, *, required: bool) -> str:
    kinds = [_KINDS[kind], *([] if required else ["null"])]
    condition = f"typeof({name}) IN ({', '.join(map(repr, kinds))})"
    # No path has a zero in it, and whoever opens a file refuses one.
    return f"{condition} AND instr({name}, char(0)) = 0" if name in ("root", "path") else condition
