"""The store keeps the songs of a pool, each written in a transaction of its own."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream.pool.database import DATABASE_FILE, SCHEMA, SCHEMA_VERSION, broken_database, connect
from stream.pool.origin import ORIGIN_KEY, Origin
from stream.pool.pool import Failure
from stream.pool.songs import Track
from stream.pool.soundness import database_problems
from tools.pools.columns.damage import SongLength
from tools.pools.columns.kept import KeptColumns, placed_chunks, rows_file, rows_in
from tools.pools.place import FOLDERS, save_array, storing
from tools.pools.scan import FoundFile
from tools.pools.taken_over import take_over
from tools.songs.outline import Outline
from tools.songs.song import SongAnalysis

_LOOK_UPS = "".join(
    f"CREATE INDEX IF NOT EXISTS songs_by_{column} ON songs ({column});"
    for column in ("audio_hash", "file_hash", "size_bytes")
)
"""By these a build looks a file up; without them it reads all songs for each, which is no part of the schema:
whoever does not know them reads the same."""


_OF_A_SONG = "song_id, audio_hash, chunks, sample_rate_hz, frames, seekable, cut, size_bytes"


@dataclass(frozen=True, kw_only=True)
class StoredSong:
    """One analysed song of the database."""

    song_id: int
    audio_hash: str
    chunks: int
    sample_rate_hz: int
    frames: int
    seekable: bool
    cut: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file of the pool as it was, which may no longer be there."""

    found: FoundFile
    audio_hash: str
    song: StoredSong | None
    """None when it was analysed with other settings, so that its analysis is of no use."""


class PoolStore:
    """The writer's side of a pool; owned by the thread that opened it. All methods raise `PoolError`."""

    def __init__(self, folder: Path, analysis_key: str) -> None:
        """Open the pool in `folder`, or make an empty one there."""
        self.folder = folder
        self.key = analysis_key
        with storing(folder):
            database = folder / DATABASE_FILE
            # An empty file is what is left of a pool whose first transaction was never finished.
            if not database.exists() or database.stat().st_size == 0:
                _create(database)
            for name in FOLDERS:
                (folder / name).mkdir(exist_ok=True)
            take_over(folder)
            self.database = connect(folder, write=True)
            self.database.isolation_level = None  # transactions are begun where they are meant
            self.database.execute("PRAGMA foreign_keys = ON")
        problems = database_problems(self.database)
        if problems:
            self.close()
            raise broken_database(folder, problems[0])
        with storing(folder):
            self.database.executescript(_LOOK_UPS)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def doubt_all(self) -> None:
        """Take no analysis with these settings for known, nor why a file was skipped."""
        with self.transaction() as database:
            database.execute("UPDATE songs SET doubted = 1 WHERE analysis_key = ?", (self.key,))
            database.execute("DELETE FROM failures WHERE analysis_key = ?", (self.key,))

    def know(self, database: sqlite3.Connection, file_hash: str, audio_hash: str) -> None:
        """Keep which audio a file with these bytes holds; inside a transaction."""
        database.execute("INSERT OR REPLACE INTO file_hashes VALUES (?, ?)", (file_hash, audio_hash))

    def has_rows(self, song: StoredSong, edge_samples: int) -> bool:
        """Whether the rows of a song's chunks are there, whole: in the columns, or in a file of their own."""
        with storing(self.folder):
            placed = placed_chunks(self.database, song.audio_hash, self.key)
        if placed is not None:
            return placed == song.chunks
        return rows_in(self.rows_path(song.audio_hash), edge_samples) == song.chunks

    def all_placed(self, song_ids: Sequence[int]) -> bool:
        """Whether the analyses of songs all stand in the columns."""
        places = self.kept_columns().places
        with storing(self.folder):
            rows = self.database.execute("SELECT song_id, audio_hash FROM songs").fetchall()
        wanted = set(song_ids)
        return all(audio_hash in places for song_id, audio_hash in rows if song_id in wanted)

    def lengths(self, audio_hashes: Collection[str]) -> list[SongLength]:
        """Return how long songs are, as far as they are known."""
        with storing(self.folder):
            rows = self.database.execute(
                """SELECT DISTINCT audio_hash, frames, sample_rate_hz FROM songs WHERE analysis_key = ?
                   AND typeof(frames) = 'integer' AND typeof(sample_rate_hz) = 'integer'""",
                (self.key,),
            ).fetchall()
        return [
            SongLength(audio_hash=name, frames=frames, sample_rate_hz=rate_hz)
            for name, frames, rate_hz in rows
            if name in audio_hashes
        ]

    def forget(self, audio_hashes: Iterable[str]) -> None:
        """Forget where the analyses of songs stand, which are then made anew."""
        with self.transaction() as database:
            database.executemany(
                "DELETE FROM places WHERE audio_hash = ? AND analysis_key = ?",
                [(name, self.key) for name in audio_hashes],
            )

    def kept_columns(self) -> KeptColumns:
        """Return the columns of the pool, and where the songs stand in them."""
        with storing(self.folder):
            return KeptColumns.of(self.database, self.folder, self.key)

    def save_song(self, found: FoundFile, analysis: SongAnalysis) -> StoredSong:
        """Keep an analysed song: the rows of its chunks first, then its own row in one transaction."""
        with storing(self.folder):
            save_array(self.rows_path(analysis.audio_hash), analysis.rows)
        fields = {
            "root": str(found.root),
            "path": found.name,
            "audio_hash": analysis.audio_hash,
            "analysis_key": self.key,
            **asdict(analysis.file),
            "sample_rate_hz": analysis.sample_rate_hz,
            "channels": analysis.channels,
            "frames": analysis.frames,
            **asdict(analysis.tags),
            "loudness_lufs": analysis.loudness.loudness_lufs,
            "true_peak_db": analysis.loudness.true_peak_db,
            "seekable": analysis.seekable,
            "cut": analysis.cut,
            "chunks": analysis.chunks,
            "outline": analysis.outline.astype("<u4").tobytes(),
            "timeline": analysis.timeline.encoded(),
            "doubted": False,
        }
        names = ", ".join(fields)
        values = ", ".join(f":{name}" for name in fields)
        updates = ", ".join(f"{name} = excluded.{name}" for name in fields)
        with self.transaction() as database:
            song_id = database.execute(
                f"""INSERT INTO songs ({names}) VALUES ({values})
                    ON CONFLICT (root, path, audio_hash, file_hash, analysis_key) DO UPDATE SET {updates}
                    RETURNING song_id""",
                fields,
            ).fetchone()[0]
            # What stands in the columns is of an earlier analysis; what was published of it stays.
            database.execute(
                "DELETE FROM places WHERE audio_hash = ? AND analysis_key = ?",
                (analysis.audio_hash, self.key),
            )
            self.know(database, analysis.file.file_hash, analysis.audio_hash)
        return StoredSong(
            song_id=song_id,
            audio_hash=analysis.audio_hash,
            chunks=analysis.chunks,
            sample_rate_hz=analysis.sample_rate_hz,
            frames=analysis.frames,
            seekable=analysis.seekable,
            cut=analysis.cut,
            size_bytes=analysis.file.size_bytes,
        )

    def save_tracks(self, song: StoredSong, tracks: Sequence[Track]) -> None:
        """Keep the tracks of a song in the place of those that it had."""
        with self.transaction() as database:
            database.execute("DELETE FROM tracks WHERE song_id = ?", (song.song_id,))
            database.executemany(
                "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?)",
                [(song.song_id, track.start_sample, track.title, track.artist) for track in tracks],
            )

    def save_failures(self, failures: Iterable[tuple[FoundFile, Failure]], *, replace: bool) -> None:
        """Keep why files are not in the pool; with `replace`, nothing else is kept about failures."""
        with self.transaction() as database:
            self.insert_failures(database, failures, replace=replace)

    def save_origin(self, origin: Origin) -> None:
        """Keep of which music the pool was built, and how."""
        with self.transaction() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (ORIGIN_KEY, origin.as_json()))

    def names(self, song_ids: Sequence[int]) -> set[tuple[str, str]]:
        """Return root and path of songs."""
        with storing(self.folder):
            rows = self.database.execute("SELECT song_id, root, path FROM songs").fetchall()
        wanted = set(song_ids)
        return {(root, path) for song_id, root, path in rows if song_id in wanted}

    def files(self, song_ids: Sequence[int]) -> list[KeptFile]:
        """Return the files of songs, in this order, as they were when they were read."""
        with storing(self.folder):
            rows = self.database.execute(
                f"SELECT root, path, mtime_ns, ctime_ns, analysis_key, {_OF_A_SONG} FROM songs"
            ).fetchall()
        wanted, kept = set(song_ids), {}
        for root, path, mtime_ns, ctime_ns, key, *fields in rows:
            song = _stored_song(fields)
            if song.song_id in wanted:
                found = FoundFile(
                    root=Path(root),
                    name=path,
                    size_bytes=song.size_bytes,
                    mtime_ns=mtime_ns,
                    ctime_ns=ctime_ns,
                )
                kept[song.song_id] = KeptFile(
                    found=found, audio_hash=song.audio_hash, song=song if key == self.key else None
                )
        return [kept[song_id] for song_id in song_ids]

    def outlines(self, songs: Sequence[StoredSong]) -> list[Outline]:
        """Return the outlines of songs; an empty one where it is not known."""
        found = []
        for song in songs:
            with storing(self.folder):
                (kept,) = self.database.execute(
                    "SELECT outline FROM songs WHERE song_id = ?", (song.song_id,)
                ).fetchone()
            if not isinstance(kept, bytes) or len(kept) % 4:
                kept = b""
            found.append(np.frombuffer(kept, dtype="<u4").astype(np.uint32))
        return found

    def decoded_bytes(self) -> int:
        """Return the size of all decoded copies."""
        with storing(self.folder):
            return sum(path.stat().st_size for path in (self.folder / "decoded").iterdir())

    def rows_path(self, audio_hash: str) -> Path:
        """Return where the rows of a song's chunks stand until they are packed into the columns."""
        return rows_file(self.folder, audio_hash, self.key)

    def stored(self, condition: str, values: tuple[str | int, ...]) -> StoredSong | None:
        """Return the latest song with these settings for which a condition in SQL holds, None for none."""
        with storing(self.folder):
            row = self.database.execute(
                f"""SELECT {_OF_A_SONG} FROM songs
                    WHERE analysis_key = ? AND {condition} ORDER BY song_id DESC LIMIT 1""",
                (self.key, *values),
            ).fetchone()
        return None if row is None else _stored_song(row)

    def insert_failures(
        self, database: sqlite3.Connection, failures: Iterable[tuple[FoundFile, Failure]], *, replace: bool
    ) -> None:
        """Do what `save_failures` does, inside a transaction."""
        if replace:
            database.execute("DELETE FROM failures")
        database.executemany(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(str(found.root), found.name, failure.kind, failure.reason),
                    *(found.size_bytes, found.mtime_ns, found.ctime_ns, self.key),
                )
                for found, failure in failures
            ],
        )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold a transaction: all that is written in it holds at its end, or nothing when it raises."""
        with storing(self.folder):
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
                self.database.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled it back already.
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise


def _stored_song(fields: Sequence[Any]) -> StoredSong:
    """Return a song by `_OF_A_SONG` of its row."""
    song_id, audio_hash, chunks, sample_rate_hz, frames, seekable, cut, size_bytes = fields
    return StoredSong(
        song_id=song_id,
        audio_hash=audio_hash,
        chunks=chunks,
        sample_rate_hz=sample_rate_hz,
        frames=frames,
        seekable=bool(seekable),
        cut=cut,
        size_bytes=size_bytes,
    )


def _create(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        database.executescript(
            f"BEGIN; {SCHEMA} INSERT INTO meta VALUES ('schema', '{SCHEMA_VERSION}'); COMMIT;"
        )
    finally:
        database.close()
