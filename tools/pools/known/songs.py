"""A build knows songs of earlier builds by their size and times, their bytes, or their audio."""

from dataclasses import asdict

from tools.pools.known.recognise import Recognised
from tools.pools.place import GRID_FOLDER, storing
from tools.pools.scan import FoundFile
from tools.pools.store import PoolStore, StoredSong
from tools.songs.song import FileState
from tools.songs.tags import Tags

_OF_THE_AUDIO = """audio_hash, analysis_key, sample_rate_hz, channels, frames,
    loudness_lufs, true_peak_db, seekable, cut, chunks, outline, timeline"""
"""What is kept of a song and comes from its audio alone, whatever its file says."""


class KnownSongs:
    """What a pool knows already of files; owned by the thread that opened its store."""

    def __init__(self, store: PoolStore) -> None:
        """Look into a store, with the settings that it was opened for."""
        self._store = store

    def unchanged(self, found: FoundFile) -> StoredSong | None:
        """Return the song of a file that has the size and the times that it had when it was read last."""
        # By its name: with the `+` SQLite does not look through all files of the same size.
        return self._store.stored(
            """root = ? AND path = ? AND +size_bytes = ? AND mtime_ns = ? AND ctime_ns = ?
               AND file_hash != '' AND NOT doubted""",
            (str(found.root), found.name, found.size_bytes, found.mtime_ns, found.ctime_ns),
        )

    def may_hold(self, found: FoundFile) -> bool:
        """Whether the same bytes may have been analysed: under this name, or with this size."""
        with storing(self._store.folder):
            row = self._store.database.execute(
                """SELECT 1 FROM songs WHERE analysis_key = ? AND file_hash != '' AND NOT doubted
                   AND (size_bytes = ? OR root = ? AND path = ?)""",
                (self._store.key, found.size_bytes, str(found.root), found.name),
            ).fetchone()
        return row is not None

    def has_bytes(self, file_hash: str) -> bool:
        """Whether a file of these bytes was analysed, under any name."""
        with storing(self._store.folder):
            row = self._store.database.execute(
                "SELECT 1 FROM songs WHERE file_hash = ? AND analysis_key = ? AND NOT doubted",
                (file_hash, self._store.key),
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
        with self._store.transaction() as database:
            database.execute(
                "UPDATE songs SET outline = ? WHERE audio_hash = ?",
                (song.outline.astype("<u4").tobytes(), song.audio_hash),
            )
        return self._keep(found, "audio_hash", song.audio_hash, song.file, song.tags)

    def _keep(
        self, found: FoundFile, column: str, value: str, state: FileState, tags: Tags
    ) -> StoredSong | None:
        """Keep that a file holds the song that a column names; None when none is named so."""
        with self._store.transaction() as database:
            row = database.execute(
                f"""SELECT song_id, audio_hash FROM songs
                    WHERE {column} = ? AND analysis_key = ? AND NOT doubted
                    ORDER BY root = ? AND path = ? DESC, song_id DESC LIMIT 1""",
                (value, self._store.key, str(found.root), found.name),
            ).fetchone()
            if row is None:
                return None
            like, audio_hash = row
            self._store.know(database, state.file_hash, audio_hash)
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
        return self._store.stored("song_id = ?", (song_id,))

    def _rename(self, former: str, audio_hash: str) -> None:
        """Name a song of an earlier endlos by its audio: its rows, and what is kept of it in files."""
        with storing(self._store.folder):
            for folder in ("analysis", "decoded", GRID_FOLDER):
                for path in (self._store.folder / folder).glob(f"{former}*.npy"):
                    path.replace(path.with_name(audio_hash + path.name.removeprefix(former)))
        with self._store.transaction() as database:
            database.execute(
                "UPDATE songs SET audio_hash = ?, file_hash = ? WHERE audio_hash = ? AND file_hash = ''",
                (audio_hash, former, former),
            )
            database.execute(
                "UPDATE OR REPLACE places SET audio_hash = ? WHERE audio_hash = ?", (audio_hash, former)
            )
            self._store.know(database, former, audio_hash)

    def skipped(self, found: FoundFile) -> str | None:
        """Return why an unchanged file was skipped by an earlier build, None when it was not."""
        with storing(self._store.folder):
            row = self._store.database.execute(
                """SELECT reason FROM failures WHERE kind = 'skipped' AND root = ? AND path = ?
                   AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ? AND analysis_key = ?""",
                (
                    *(str(found.root), found.name),
                    *(found.size_bytes, found.mtime_ns, found.ctime_ns, self._store.key),
                ),
            ).fetchone()
        return None if row is None else str(row[0])

    def partly(self, song: StoredSong) -> str | None:
        """Return what an earlier build left out of the file of a song, None for nothing."""
        with storing(self._store.folder):
            row = self._store.database.execute(
                """SELECT reason FROM failures JOIN songs USING (root, path, size_bytes)
                   WHERE kind = 'partly'
                   AND file_hash = (SELECT file_hash FROM songs WHERE song_id = ?) LIMIT 1""",
                (song.song_id,),
            ).fetchone()
        return None if row is None else str(row[0])
