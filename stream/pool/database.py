"""The database of a pool names its generations, songs and failures; here are its schema and connection."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from model.base.errors import EndlosError, PoolError

DATABASE_FILE = "pool.db"
DATABASE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged database raises: what SQLite says of it may hold bytes of the file, which are no text."""
SCHEMA_VERSION = 5
EARLIER_VERSIONS = ("2", "3", "4")
"""Schemas that a build takes over."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row for each file and analysis of its song; a new cutter, other audio or other tags make a new row.
CREATE TABLE IF NOT EXISTS songs (
    song_id        INTEGER PRIMARY KEY,
    root           TEXT NOT NULL,     -- music folder as given, absolute
    path           TEXT NOT NULL,     -- relative to root, with forward slashes
    audio_hash     TEXT NOT NULL,     -- BLAKE2b of the coded audio, without tags: what the song is known by
    file_hash      TEXT NOT NULL,     -- BLAKE2b of the file's bytes; '' until an earlier pool's file is read
    analysis_key   TEXT NOT NULL,     -- analysis version and every setting that changes its result
    size_bytes     INTEGER NOT NULL,
    mtime_ns       INTEGER NOT NULL,
    ctime_ns       INTEGER NOT NULL,  -- a tagger that keeps the time of a file cannot keep this one
    sample_rate_hz INTEGER NOT NULL,
    channels       INTEGER NOT NULL,
    frames         INTEGER NOT NULL,  -- of the whole decode
    title          TEXT NOT NULL,
    artist         TEXT NOT NULL,
    album          TEXT NOT NULL,
    cover          BLOB,
    loudness_lufs  REAL NOT NULL,     -- BS.1770 integrated
    true_peak_db   REAL NOT NULL,     -- dBTP, four times oversampled
    seekable       INTEGER NOT NULL,  -- 0: spans come from a decoded copy
    cut            TEXT NOT NULL,     -- what the cutter did, in words
    chunks         INTEGER NOT NULL,  -- how many; what is kept of them stands in columns
    outline        BLOB,              -- 32-bit words: tells a recording by its sound; NULL: not known yet
    timeline       BLOB,              -- `stream.pool.timeline`: beats, voice, bands; NULL: not known
    left_s         REAL,              -- when it left the pool; NULL: a kept generation holds it
    doubted        INTEGER NOT NULL DEFAULT 0,  -- 1: the next build analyses it anew
    UNIQUE (root, path, audio_hash, file_hash, analysis_key)
);

-- Every file that a song was known in: finds what an earlier endlos named by the bytes of its file.
CREATE TABLE IF NOT EXISTS file_hashes (
    file_hash  TEXT PRIMARY KEY,
    audio_hash TEXT NOT NULL
) WITHOUT ROWID;

-- Of songs that are whole albums, as their cue sheets have it.
CREATE TABLE IF NOT EXISTS tracks (
    song_id      INTEGER NOT NULL REFERENCES songs ON DELETE CASCADE,
    start_sample INTEGER NOT NULL,
    title        TEXT NOT NULL,
    artist       TEXT NOT NULL,
    PRIMARY KEY (song_id, start_sample)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS generations (
    generation   INTEGER PRIMARY KEY,
    complete     INTEGER NOT NULL,    -- 0: published early, more songs are on their way
    edge_samples INTEGER NOT NULL,
    created_s    REAL NOT NULL,
    columns       INTEGER NOT NULL,   -- folder of its columns; 0: an earlier endlos wrote it
    stored_chunks INTEGER NOT NULL    -- so many stand there, those of songs that are gone among them
);

CREATE TABLE IF NOT EXISTS generation_songs (
    generation INTEGER NOT NULL REFERENCES generations ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    song_id    INTEGER NOT NULL REFERENCES songs,
    first_row  INTEGER NOT NULL,      -- in the columns; its other chunks follow
    PRIMARY KEY (generation, position)
) WITHOUT ROWID;

-- Where the latest analysis of a song stands in the columns of the current generation; one that is not
-- published yet has a file of its own.
CREATE TABLE IF NOT EXISTS places (
    audio_hash   TEXT NOT NULL,
    analysis_key TEXT NOT NULL,
    first_row    INTEGER NOT NULL,
    chunks       INTEGER NOT NULL,
    PRIMARY KEY (audio_hash, analysis_key)
) WITHOUT ROWID;

-- Files that are the same recording as a song of the generation, and are not played beside it.
CREATE TABLE IF NOT EXISTS copies (
    generation INTEGER NOT NULL REFERENCES generations ON DELETE CASCADE,
    song_id    INTEGER NOT NULL REFERENCES songs,
    of_song_id INTEGER NOT NULL REFERENCES songs,
    PRIMARY KEY (generation, song_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS failures (
    root   TEXT NOT NULL,
    path   TEXT NOT NULL,
    kind   TEXT NOT NULL,             -- 'failed' (cannot be read), 'skipped' (too short, silent), 'partly'
    reason TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL,    -- a skipped file that is unchanged is not analysed again
    mtime_ns     INTEGER NOT NULL,
    ctime_ns     INTEGER NOT NULL,
    analysis_key TEXT NOT NULL,
    PRIMARY KEY (root, path)
) WITHOUT ROWID;
"""


def database_mark(folder: Path) -> tuple[object, ...] | None:
    """Return what is another one after each transaction on a pool; None where it cannot be read.

    The header's change counter (SQLite's file format, 1.3.7), and what of the file system goes with it.
    """
    path = folder / DATABASE_FILE
    try:
        with path.open("rb") as file:
            counter = file.read(28)[24:]
            found = os.fstat(file.fileno())
    except OSError:
        return None
    with suppress(FileNotFoundError):
        log = path.with_name(f"{DATABASE_FILE}-wal").stat()
        return (counter, found.st_ino, found.st_mtime_ns, log.st_size, log.st_mtime_ns)
    return (counter, found.st_ino, found.st_mtime_ns)


def connect(folder: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open the database of the pool in `folder`; `PoolError` when there is none, or it is not ours.

    A connection belongs to the thread that opened it.
    """
    path = folder / DATABASE_FILE
    if not path.is_file():
        # A build takes no folder with anything else in it for a pool, but one that has lost its database.
        taken = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
        of_music = taken and not (folder / "columns").is_dir()
        built = f"{folder} --out POOL" if of_music else f"MUSIC --out {folder}"
        raise PoolError(
            f"{folder} is not a pool: it has no {DATABASE_FILE}; build one with `endlos pool build {built}`"
        )
    try:
        try:
            connection, version = _opened(path, "rw" if write else "ro")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            # A build was killed in the middle of a transaction, and undoing it takes a writer.
            _opened(path, "rw")[0].close()
            connection, version = _opened(path, "ro")
    except DATABASE_ERRORS as error:
        raise PoolError(
            f"{path} cannot be read as a pool ({error}); "
            "restore it, or delete the pool folder and build it anew"
        ) from error
    if version != str(SCHEMA_VERSION):
        connection.close()
        found = "none" if version is None else version
        todo = (
            "run `endlos pool build` again, which takes over what it holds"
            if version in EARLIER_VERSIONS
            else "delete the pool folder and build it anew"
        )
        raise PoolError(f"{path} has schema {found}, this endlos reads schema {SCHEMA_VERSION}; {todo}")
    return connection


@contextmanager
def reading_database(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the database of a pool for who reads it, and turn whatever comes of that into a `PoolError`.

    Damage leaves anything in a field, and what is made of such a one raises anything.
    """
    with closing(connect(folder)) as connection:
        try:
            yield connection
        except EndlosError:
            raise
        except DATABASE_ERRORS as error:
            raise broken_database(folder, error) from error
        except Exception as error:
            raise broken_database(folder, "fields hold what they cannot") from error


def _opened(path: Path, mode: str) -> tuple[sqlite3.Connection, str | None]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=30)
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except DATABASE_ERRORS:
        connection.close()
        raise
    return connection, None if row is None else str(row[0])


def broken_database(folder: Path, error: object) -> PoolError:
    """Return what to raise, or to say, where the database of the pool in `folder` is damaged in some way."""
    return PoolError(
        f"{folder / DATABASE_FILE} is damaged ({error}); "
        "restore it, or delete the pool folder and build it anew"
    )
