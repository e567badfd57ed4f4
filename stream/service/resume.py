"""The resume file keeps where a stream stands, beside its pool, so that a restart goes on from there.

It is written every second, and at the end; a process that is killed loses no more than that.
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from model.base.arrays import IntArray
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.played import PlayCounts
from stream.engine.standing import Standing
from stream.pool.database import DATABASE_ERRORS
from stream.service.stood import stood, told, told_sample

_log = logging.getLogger(__name__)

RESUME_FILE = "resume.db"
WRITE_S = 1.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS stream (one INTEGER PRIMARY KEY CHECK (one = 1), standing TEXT NOT NULL);
-- Where in its song the stream is, which alone changes between two steps.
CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), sample INTEGER);
CREATE TABLE IF NOT EXISTS played (
    audio_hash   TEXT NOT NULL,
    start_sample INTEGER NOT NULL,
    end_sample   INTEGER NOT NULL,
    last_played  INTEGER NOT NULL,  -- the step at which, or -1
    plays        INTEGER NOT NULL,
    PRIMARY KEY (audio_hash, start_sample, end_sample)
) WITHOUT ROWID;
"""


class ResumeFile:
    """Where the stream of a pool stood, and stands; opened for one stream at a time, when it is first needed.

    What cannot be read or written is said in one sentence: the stream begins anew, or is not kept.
    """

    def __init__(self, folder: Path) -> None:
        """folder: of the pool, which has to be there when it is recalled or kept."""
        self._path = folder / RESUME_FILE
        self._database: sqlite3.Connection | None = None
        self._opened = False
        self._lost = ""
        self._standing: Standing | None = None
        """What was written last; None: nothing, or nobody knows."""
        self._sample: int | None = None

    def recall(self, generation: Generation) -> Standing | None:
        """Return where the stream stood, in a generation; None where it begins anew."""
        self._open_once()
        if self._database is None:
            return None
        try:
            row = self._database.execute("SELECT standing FROM stream").fetchone()
            if row is None:
                return None
            said = json.loads(row[0])
            place = self._database.execute("SELECT sample FROM place").fetchone()
            if place is not None:
                said["sample"] = place[0]
            return stood(said, self._history(generation), generation)
        except Exception as error:  # it may hold anything: whatever that raises, the stream begins anew
            self._forget(error)
            return None

    @contextmanager
    def kept(self, standing: Callable[[], Standing | None]) -> Iterator[None]:
        """Write where the stream stands for as long as the block lasts, in a thread of its own.

        standing: asked by that thread.
        """
        self._open_once()
        stop = threading.Event()

        def write() -> None:
            while not stop.wait(WRITE_S):
                self._write(standing())
            self._write(standing())

        thread = threading.Thread(target=write, name="resume", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=5.0)

    def close(self) -> None:
        """Close it; another stream may open it."""
        if self._database is not None:
            self._database.close()

    def _open_once(self) -> None:
        if not self._opened:
            self._opened, self._database = True, self._open()

    def _open(self) -> sqlite3.Connection | None:
        for _ in range(2):
            database = None
            try:
                database = sqlite3.connect(
                    self._path, timeout=0.0, isolation_level=None, check_same_thread=False
                )
                # Held until the process ends, however that ends: a second stream does not go on here too.
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
                # Waits for no disk: a process that is killed loses nothing by that, a power cut may.
                database.execute("PRAGMA synchronous = OFF")
                database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
                return database
            except DATABASE_ERRORS as error:
                if database is not None:
                    database.close()
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code == sqlite3.SQLITE_BUSY:
                    _log.warning(
                        "another stream of this pool keeps its place in %s; this one begins anew",
                        self._path,
                    )
                    return None
                if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) and isinstance(
                    error, sqlite3.Error
                ):
                    self._tell_lost(error)
                    return None
                _log.warning("%s is damaged (%s); the stream begins anew", self._path, error)
                with suppress(OSError):
                    self._path.unlink()
        return None

    def _forget(self, error: Exception) -> None:
        _log.warning("%s does not say where the stream stood (%s); it begins anew", self._path, error)
        self.close()
        with suppress(OSError):
            self._path.unlink()
        self._database = self._open()

    def _tell_lost(self, error: Exception) -> None:
        _log.warning("%s cannot be written (%s); after a restart the stream begins anew", self._path, error)

    def _history(self, generation: Generation) -> Course:
        """Read what was played, song by song, of chunks that are as they were."""
        assert self._database is not None, "it is open"
        history = Course.new(len(generation.index))
        found: list[IntArray] = [np.empty((3, 0), dtype=np.int64)]
        rows: dict[str, list[tuple[int, int, int, int]]] = {}
        for audio_hash, *numbers in self._database.execute("SELECT * FROM played"):
            rows.setdefault(audio_hash, []).append(tuple(numbers))
        pool = generation.pool
        for audio_hash, played in rows.items():
            song = generation.song_of(audio_hash)
            if song is None:
                continue
            here = generation.song_rows(song)
            start, end, last_played, plays = np.array(played, dtype=np.int64).T
            at = np.minimum(here.start + np.searchsorted(pool.start_sample[here], start), here.stop - 1)
            same = (pool.start_sample[at] == start) & (pool.end_sample[at] == end)
            found.append(np.stack([at[same], last_played[same], plays[same]]))
        at, last_played, plays = np.concatenate(found, axis=1)
        history.played.put(at, PlayCounts(last_played=last_played, plays=plays))
        return history

    def _write(self, standing: Standing | None) -> None:
        if self._database is None or standing is None:
            return
        before, sample = self._standing, told_sample(standing)
        same = before is not None and (before.memory, before.steering) == (standing.memory, standing.steering)
        if same and sample == self._sample:
            return
        try:
            if not same:
                self._database.execute("BEGIN")
                self._write_step(self._database, standing)
            # Alone it is a transaction of its own.
            self._database.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (sample,))
            if not same:
                self._database.execute("COMMIT")
        except DATABASE_ERRORS as error:
            # A full disk, or none any more: the stream goes on, and it is tried again with the next look.
            with suppress(*DATABASE_ERRORS):
                self._database.execute("ROLLBACK")
            if self._lost != str(error):
                self._lost = str(error)
                self._tell_lost(error)
            self._standing = None
            return
        self._standing, self._sample = standing, sample

    def _write_step(self, database: sqlite3.Connection, standing: Standing) -> None:
        """Write what changes only with a step: all but where in its song the stream is."""
        memory, before = standing.memory, self._standing
        played = memory.history.played
        if before is None or memory.generation is not before.memory.generation:
            database.execute("DELETE FROM played")
            changed = played.rows()
        else:
            changed = played.changed_since(before.memory.history.played)
        keys = [memory.generation.key(row) for row in changed.tolist()]
        counts = played.of(changed)
        database.executemany(
            "INSERT OR REPLACE INTO played VALUES (?, ?, ?, ?, ?)",
            [
                (key.audio_hash, key.start_sample, key.end_sample, last_played, plays)
                for key, last_played, plays in zip(
                    keys, counts.last_played.tolist(), counts.plays.tolist(), strict=True
                )
            ],
        )
        database.execute("INSERT OR REPLACE INTO stream VALUES (1, ?)", (json.dumps(told(standing)),))
