"""The store writes a pool, one transaction for each song and one that makes a generation current."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.base.array_files import ArrayFile, ArrayFileError
from model.base.errors import PoolError
from model.base.files import PART_SUFFIX, is_left_behind
from stream.pool.columns import Rows, record_type
from stream.pool.database import DATABASE_FILE, SCHEMA, SCHEMA_VERSION, connect
from stream.pool.pool import (
    Failure,
    Track,
    current_generation,
    decoded_copy,
    generation_folder,
    open_pool,
)
from tools.pools.place import FOLDERS, GRID_FOLDER, remove, rows_file, save_array, save_columns, storing
from tools.pools.recognise import Recognised
from tools.pools.scan import FoundFile
from tools.pools.taken_over import take_over
from tools.songs.outline import Outline
from tools.songs.song import FileState, SongAnalysis
from tools.songs.tags import Tags

KEPT_GENERATIONS = 2
"""The current one, and the one before it that a player may still be opening."""
KEPT_LEFT_S = 30 * 24 * 3600.0
"""So long the analysis of a file is kept that is no longer there."""
KEPT_LEFT_BYTES = 4 * 2**30
"""All of those together take no more; the latest are kept."""
_IN_USE = "song_id IN (SELECT song_id FROM generation_songs UNION SELECT song_id FROM copies)"

_OF_THE_AUDIO = """audio_hash, analysis_key, sample_rate_hz, channels, frames,
    loudness_lufs, true_peak_db, seekable, cut, chunks, outline"""
"""What is kept of a song and comes from its audio alone, whatever its file says."""


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
class Copy:
    """A song that is the same recording as another, which is played in its place."""

    song: StoredSong
    of: StoredSong


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
        self._key = analysis_key
        with storing(folder):
            database = folder / DATABASE_FILE
            # An empty file is what is left of a pool whose first transaction was never finished.
            if not database.exists() or database.stat().st_size == 0:
                _create(database)
            for name in FOLDERS:
                (folder / name).mkdir(exist_ok=True)
            take_over(folder)
            self._database = connect(folder, write=True)
            self._database.isolation_level = None  # transactions are begun where they are meant
            self._database.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def remove_leftovers(self) -> None:
        """Remove what a killed build was writing, and what killed players and trainings were."""
        with storing(self.folder):
            for name in FOLDERS:
                for path in (self.folder / name).glob(f"*{PART_SUFFIX}"):
                    remove(path)
            # Here others write too, and some of them may be at it.
            for name in ("generations", GRID_FOLDER):
                for path in (self.folder / name).rglob(f"*{PART_SUFFIX}"):
                    if is_left_behind(path):
                        remove(path)

    def doubt_all(self) -> None:
        """Take no analysis with these settings for known, nor why a file was skipped."""
        with self._transaction() as database:
            database.execute("UPDATE songs SET doubted = 1 WHERE analysis_key = ?", (self._key,))
            database.execute("DELETE FROM failures WHERE analysis_key = ?", (self._key,))

    def remove_doubted(self) -> None:
        """Remove what was made of songs that are doubted, beside their analysis."""
        with storing(self.folder):
            hashes = self._database.execute("SELECT DISTINCT audio_hash FROM songs WHERE doubted").fetchall()
            for folder in ("decoded", GRID_FOLDER):
                for (audio_hash,) in hashes:
                    for path in (self.folder / folder).glob(f"{audio_hash}.*"):
                        remove(path)

    # What is known already

    def unchanged(self, found: FoundFile) -> StoredSong | None:
        """Return the song of a file that has the size and the times that it had when it was read last."""
        return self._stored(
            """root = ? AND path = ? AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ?
               AND file_hash != '' AND NOT doubted""",
            (str(found.root), found.name, found.size_bytes, found.mtime_ns, found.ctime_ns),
        )

    def may_hold(self, found: FoundFile) -> bool:
        """Whether the same bytes may have been analysed: under this name, or with this size."""
        with storing(self.folder):
            row = self._database.execute(
                """SELECT 1 FROM songs WHERE analysis_key = ? AND file_hash != '' AND NOT doubted
                   AND (size_bytes = ? OR root = ? AND path = ?)""",
                (self._key, found.size_bytes, str(found.root), found.name),
            ).fetchone()
        return row is not None

    def adopt(self, found: FoundFile, file_hash: str, tags: Tags) -> StoredSong | None:
        """Return the song of a file whose bytes were read before, under this name or another."""
        state = FileState(
            file_hash=file_hash,
            size_bytes=found.size_bytes,
            mtime_ns=found.mtime_ns,
            ctime_ns=found.ctime_ns,
        )
        return self._keep(found, "file_hash", file_hash, state, tags)

    def take_recognised(self, found: FoundFile, song: Recognised) -> StoredSong | None:
        """Return the song of a file whose audio was analysed before, now under the name that is its own."""
        if song.known_as != song.audio_hash:
            self._rename(song.known_as, song.audio_hash)
        with self._transaction() as database:
            database.execute(
                "UPDATE songs SET outline = ? WHERE audio_hash = ?",
                (song.outline.astype("<u4").tobytes(), song.audio_hash),
            )
        return self._keep(found, "audio_hash", song.audio_hash, song.file, song.tags)

    def _keep(
        self, found: FoundFile, column: str, value: str, state: FileState, tags: Tags
    ) -> StoredSong | None:
        """Keep that a file holds the song that a column names; None when none is named so."""
        with self._transaction() as database:
            row = database.execute(
                f"""SELECT song_id, audio_hash FROM songs
                    WHERE {column} = ? AND analysis_key = ? AND NOT doubted
                    ORDER BY root = ? AND path = ? DESC, song_id DESC LIMIT 1""",
                (value, self._key, str(found.root), found.name),
            ).fetchone()
            if row is None:
                return None
            like, audio_hash = row
            self._know(database, state.file_hash, audio_hash)
            fields = {
                "root": str(found.root),
                "path": found.name,
                **asdict(state),
                **asdict(tags),
            }
            names = ", ".join(fields)
            given = ", ".join(f":{name}" for name in fields)
            updates = ", ".join(f"{name} = excluded.{name}" for name in fields)
            song_id = database.execute(
                f"""INSERT INTO songs ({names}, {_OF_THE_AUDIO}) SELECT {given}, {_OF_THE_AUDIO}
                    FROM songs WHERE song_id = :like
                    ON CONFLICT (root, path, audio_hash, file_hash, analysis_key) DO UPDATE SET {updates}
                    RETURNING song_id""",
                {**fields, "like": like},
            ).fetchone()[0]
        return self._stored("song_id = ?", (song_id,))

    def _rename(self, former: str, audio_hash: str) -> None:
        """Name a song of an earlier endlos by its audio: its rows, and what is kept of it in files."""
        with storing(self.folder):
            for folder in ("analysis", "decoded", GRID_FOLDER):
                for path in (self.folder / folder).glob(f"{former}*.npy"):
                    path.replace(path.with_name(audio_hash + path.name.removeprefix(former)))
        with self._transaction() as database:
            database.execute(
                "UPDATE songs SET audio_hash = ?, file_hash = ? WHERE audio_hash = ? AND file_hash = ''",
                (audio_hash, former, former),
            )
            self._know(database, former, audio_hash)

    def _know(self, database: sqlite3.Connection, file_hash: str, audio_hash: str) -> None:
        database.execute("INSERT OR REPLACE INTO file_hashes VALUES (?, ?)", (file_hash, audio_hash))

    def skipped(self, found: FoundFile) -> str | None:
        """Return why an unchanged file was skipped by an earlier build, None when it was not."""
        with storing(self.folder):
            row = self._database.execute(
                """SELECT reason FROM failures WHERE kind = 'skipped' AND root = ? AND path = ?
                   AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ? AND analysis_key = ?""",
                (
                    *(str(found.root), found.name),
                    *(found.size_bytes, found.mtime_ns, found.ctime_ns, self._key),
                ),
            ).fetchone()
        return None if row is None else str(row[0])

    def partly(self, song: StoredSong) -> str | None:
        """Return what an earlier build left out of the file of a song, None for nothing."""
        with storing(self.folder):
            row = self._database.execute(
                """SELECT reason FROM failures JOIN songs USING (root, path, size_bytes)
                   WHERE kind = 'partly'
                   AND file_hash = (SELECT file_hash FROM songs WHERE song_id = ?) LIMIT 1""",
                (song.song_id,),
            ).fetchone()
        return None if row is None else str(row[0])

    def has_rows(self, song: StoredSong, edge_samples: int) -> bool:
        """Whether the rows of a song's chunks are there, whole."""
        with suppress(OSError, ArrayFileError):
            rows = ArrayFile.of(self._rows_path(song.audio_hash))
            return bool(rows.shape == (song.chunks,) and rows.dtype == record_type(edge_samples))
        return False

    # Writing

    def save_song(self, found: FoundFile, analysis: SongAnalysis) -> StoredSong:
        """Keep an analysed song: the rows of its chunks first, then its own row in one transaction."""
        with storing(self.folder):
            save_array(self._rows_path(analysis.audio_hash), analysis.rows)
        fields = {
            "root": str(found.root),
            "path": found.name,
            "audio_hash": analysis.audio_hash,
            "analysis_key": self._key,
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
            "doubted": False,
        }
        names = ", ".join(fields)
        values = ", ".join(f":{name}" for name in fields)
        updates = ", ".join(f"{name} = excluded.{name}" for name in fields)
        with self._transaction() as database:
            song_id = database.execute(
                f"""INSERT INTO songs ({names}) VALUES ({values})
                    ON CONFLICT (root, path, audio_hash, file_hash, analysis_key) DO UPDATE SET {updates}
                    RETURNING song_id""",
                fields,
            ).fetchone()[0]
            self._know(database, analysis.file.file_hash, analysis.audio_hash)
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
        with self._transaction() as database:
            database.execute("DELETE FROM tracks WHERE song_id = ?", (song.song_id,))
            database.executemany(
                "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?)",
                [(song.song_id, track.start_sample, track.title, track.artist) for track in tracks],
            )

    def save_failures(self, failures: Iterable[tuple[FoundFile, Failure]], *, replace: bool) -> None:
        """Keep why files are not in the pool; with `replace`, nothing else is kept about failures."""
        with self._transaction() as database:
            self._insert_failures(database, failures, replace=replace)

    def publish(
        self,
        songs: Sequence[StoredSong],
        copies: Sequence[Copy],
        edge_samples: int,
        failures: Iterable[tuple[FoundFile, Failure]],
        *,
        complete: bool,
        finish: Callable[[Path], None] | None = None,
    ) -> int:
        """Make `songs`, in this order, the current generation, and return its number.

        copies: other files with the same recordings.
        finish: given the folder of its arrays before anybody reads it; what it raises ends it.
        """
        with storing(self.folder):
            target = generation_folder(self.folder, self._next_generation())
            beside = target.with_name(target.name + PART_SUFFIX)
            beside.mkdir()
            try:
                chunks = sum(song.chunks for song in songs)
                save_columns(beside, edge_samples, chunks, (self._rows(song) for song in songs))
                if finish is not None:
                    finish(beside)
                beside.rename(target)
            except BaseException:
                remove(beside)
                raise
        generation = int(target.name)
        with self._transaction() as database:
            database.execute(
                "INSERT INTO generations VALUES (?, ?, ?, ?)",
                (generation, complete, edge_samples, time.time()),
            )
            database.executemany(
                "INSERT INTO generation_songs VALUES (?, ?, ?)",
                [(generation, position, song.song_id) for position, song in enumerate(songs)],
            )
            self._insert_copies(database, generation, copies)
            self._insert_failures(database, failures, replace=complete)
            database.execute(
                "INSERT OR REPLACE INTO meta VALUES ('generation', ?)",
                (str(generation),),
            )
        self._drop_generations()
        return generation

    def save_copies(self, generation: int, copies: Sequence[Copy]) -> None:
        """Keep which files are the same recordings as songs of a generation, in place of what was kept."""
        with self._transaction() as database:
            database.execute("DELETE FROM copies WHERE generation = ?", (generation,))
            self._insert_copies(database, generation, copies)

    # The state of the current generation

    def current(self) -> tuple[int | None, bool, list[int]]:
        """Return the current generation, whether it is complete, and its songs in order."""
        with storing(self.folder):
            generation = current_generation(self.folder)
            complete = self._database.execute(
                "SELECT complete FROM generations WHERE generation = ?", (generation,)
            ).fetchone()
            songs = self._database.execute(
                "SELECT song_id FROM generation_songs WHERE generation = ? ORDER BY position", (generation,)
            ).fetchall()
        return generation, complete is not None and bool(complete[0]), [row[0] for row in songs]

    def names(self, song_ids: Sequence[int]) -> set[tuple[str, str]]:
        """Return root and path of songs."""
        with storing(self.folder):
            rows = self._database.execute("SELECT song_id, root, path FROM songs").fetchall()
        wanted = set(song_ids)
        return {(root, path) for song_id, root, path in rows if song_id in wanted}

    def files(self, song_ids: Sequence[int]) -> list[KeptFile]:
        """Return the files of songs, in this order, as they were when they were read."""
        kept = []
        for song_id in song_ids:
            with storing(self.folder):
                root, path, audio_hash, *stamps = self._database.execute(
                    """SELECT root, path, audio_hash, size_bytes, mtime_ns, ctime_ns
                       FROM songs WHERE song_id = ?""",
                    (song_id,),
                ).fetchone()
            found = FoundFile(
                root=Path(root), name=path, size_bytes=stamps[0], mtime_ns=stamps[1], ctime_ns=stamps[2]
            )
            kept.append(
                KeptFile(found=found, audio_hash=audio_hash, song=self._stored("song_id = ?", (song_id,)))
            )
        return kept

    def outlines(self, songs: Sequence[StoredSong]) -> list[Outline]:
        """Return the outlines of songs; an empty one where it is not known."""
        found = []
        for song in songs:
            with storing(self.folder):
                (kept,) = self._database.execute(
                    "SELECT outline FROM songs WHERE song_id = ?", (song.song_id,)
                ).fetchone()
            if not isinstance(kept, bytes) or len(kept) % 4:
                kept = b""
            found.append(np.frombuffer(kept, dtype="<u4").astype(np.uint32))
        return found

    def is_sound(self, edge_samples: int) -> bool:
        """Whether the current generation can be opened and has edges of this length."""
        with suppress(PoolError):
            return open_pool(self.folder).edge_samples == edge_samples
        return False

    def decoded_bytes(self) -> int:
        """Return the size of all decoded copies."""
        with storing(self.folder):
            return sum(path.stat().st_size for path in (self.folder / "decoded").iterdir())

    # Tidying

    def collect_garbage(self) -> None:
        """Remove what no kept generation needs: songs, their arrays, and decoded copies.

        The analysis of a file that is gone is kept for a while (`KEPT_LEFT_S`, `KEPT_LEFT_BYTES`).
        """
        now_s = time.time()
        with self._transaction() as database:
            database.execute(f"UPDATE songs SET left_s = NULL WHERE {_IN_USE}")
            database.execute(f"UPDATE songs SET left_s = ? WHERE left_s IS NULL AND NOT {_IN_USE}", (now_s,))
            database.execute(
                f"""DELETE FROM songs WHERE NOT {_IN_USE} AND (doubted OR analysis_key != ? OR left_s < ?
                    OR (root, path) IN (SELECT root, path FROM songs WHERE {_IN_USE}))""",
                (self._key, now_s - KEPT_LEFT_S),
            )
            used = database.execute(
                f"SELECT audio_hash, analysis_key, seekable FROM songs WHERE {_IN_USE}"
            ).fetchall()
            left = database.execute(
                f"SELECT song_id, audio_hash FROM songs WHERE NOT {_IN_USE} ORDER BY left_s DESC, song_id"
            ).fetchall()
            arrays = {rows_file(self.folder, audio_hash, key).name for audio_hash, key, _ in used}
            room = KEPT_LEFT_BYTES
            for song_id, audio_hash in left:
                path = self._rows_path(audio_hash)
                room -= path.stat().st_size if path.is_file() and path.name not in arrays else 0
                if room < 0:
                    database.execute("DELETE FROM songs WHERE song_id = ?", (song_id,))
                else:
                    arrays.add(path.name)
        copies = {
            decoded_copy(self.folder, audio_hash).name for audio_hash, _, seekable in used if not seekable
        }
        with storing(self.folder):
            for name, needed in (("analysis", arrays), ("decoded", copies)):
                for path in (self.folder / name).iterdir():
                    if path.name not in needed:
                        remove(path)

    def _drop_generations(self) -> None:
        with self._transaction() as database:
            rows = database.execute("SELECT generation FROM generations ORDER BY generation DESC").fetchall()
            kept = [row[0] for row in rows[:KEPT_GENERATIONS]]
            database.execute("DELETE FROM generations WHERE generation < ?", (kept[-1],))
        with storing(self.folder):
            for path in (self.folder / "generations").iterdir():
                if re.fullmatch(r"\d{6,}", path.name) and int(path.name) not in kept:
                    remove(path)

    def _next_generation(self) -> int:
        listed = self._database.execute("SELECT COALESCE(MAX(generation), 0) FROM generations").fetchone()[0]
        # A build that was killed just before its transaction left a folder that is not listed.
        there = [int(path.stem) for path in (self.folder / "generations").iterdir() if path.stem.isdigit()]
        return int(max([listed, *there])) + 1

    def _rows(self, song: StoredSong) -> Rows:
        path = self._rows_path(song.audio_hash)
        try:
            rows: Rows = ArrayFile.of(path).read()
        except (OSError, ArrayFileError) as error:
            raise PoolError(f"{path} cannot be read ({error}); run `endlos pool build` again") from error
        return rows

    def _rows_path(self, audio_hash: str) -> Path:
        return rows_file(self.folder, audio_hash, self._key)

    def _stored(self, condition: str, values: tuple[str | int, ...]) -> StoredSong | None:
        with storing(self.folder):
            row = self._database.execute(
                f"""SELECT song_id, audio_hash, chunks, sample_rate_hz, frames, seekable, cut, size_bytes
                    FROM songs WHERE analysis_key = ? AND {condition} ORDER BY song_id DESC LIMIT 1""",
                (self._key, *values),
            ).fetchone()
        if row is None:
            return None
        return StoredSong(
            song_id=row[0],
            audio_hash=row[1],
            chunks=row[2],
            sample_rate_hz=row[3],
            frames=row[4],
            seekable=bool(row[5]),
            cut=row[6],
            size_bytes=row[7],
        )

    def _insert_copies(self, database: sqlite3.Connection, generation: int, copies: Sequence[Copy]) -> None:
        database.executemany(
            "INSERT INTO copies VALUES (?, ?, ?)",
            [(generation, copy.song.song_id, copy.of.song_id) for copy in copies],
        )

    def _insert_failures(
        self, database: sqlite3.Connection, failures: Iterable[tuple[FoundFile, Failure]], *, replace: bool
    ) -> None:
        if replace:
            database.execute("DELETE FROM failures")
        database.executemany(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(str(found.root), found.name, failure.kind, failure.reason),
                    *(found.size_bytes, found.mtime_ns, found.ctime_ns, self._key),
                )
                for found, failure in failures
            ],
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with storing(self.folder):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled it back already.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def _create(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        database.executescript(
            f"BEGIN; {SCHEMA} INSERT INTO meta VALUES ('schema', '{SCHEMA_VERSION}'); COMMIT;"
        )
    finally:
        database.close()
