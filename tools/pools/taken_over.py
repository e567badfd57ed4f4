"""A build takes over a pool of an earlier endlos, with new tables in its database and all that it holds."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from stream.pool.database import DATABASE_ERRORS, DATABASE_FILE, EARLIER_VERSIONS, SCHEMA, SCHEMA_VERSION

_ADDED = {
    "songs": {"file_hash": "''", "ctime_ns": "0"},
    "failures": {"ctime_ns": "0"},
    "generations": {"columns": "0", "stored_chunks": "0"},
    "generation_songs": {"first_row": "0"},
}
"""SQL values of what an earlier schema lacks, by table and column."""
_OWN_COLUMNS = ("2", "3")
"""Schemas whose generations shared nothing."""


def take_over(folder: Path) -> None:
    """Bring the database of the pool in `folder` to today's schema; nothing when it has it.

    What was analysed stands in a file for each song; the build packs it. Songs that are named by the bytes of
    their files a build names anew when it reads them. Raises `sqlite3.Error` when the database cannot be read
    or written.
    """
    with closing(sqlite3.connect(folder / DATABASE_FILE, timeout=30, isolation_level=None)) as database:
        version = _version(database)
        if version not in EARLIER_VERSIONS:
            return
        kept = {
            table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")] for table in _ADDED
        }
        # So that the tables that refer to the songs keep doing so.
        script = ["PRAGMA foreign_keys = OFF", "PRAGMA legacy_alter_table = ON", "BEGIN IMMEDIATE"]
        script += [f"ALTER TABLE {table} RENAME TO earlier_{table}" for table in _ADDED]
        script.append(SCHEMA)
        for table, added in _ADDED.items():
            values = {name: name for name in kept[table]} | {
                name: value for name, value in added.items() if name not in kept[table]
            }
            script.append(
                f"INSERT INTO {table} ({', '.join(values)}) "
                f"SELECT {', '.join(values.values())} FROM earlier_{table}"
            )
            script.append(f"DROP TABLE earlier_{table}")
        script += [f"UPDATE meta SET value = '{SCHEMA_VERSION}' WHERE key = 'schema'", "COMMIT"]
        # What fails on the way is undone by closing.
        database.executescript(";\n".join(script) + ";")
        database.execute("VACUUM")
    if version not in _OWN_COLUMNS:
        return
    # Each generation had all columns for itself; who plays from them has them open.
    for path in (folder / "generations").glob("*/*.npy"):
        with suppress(OSError):
            path.unlink()


def _version(database: sqlite3.Connection) -> str | None:
    try:
        row = database.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except DATABASE_ERRORS:
        return None  # whoever opens it says what it is
    return None if row is None else str(row[0])
