"""A generation is published whole, and one transaction makes it the current one."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.errors import PoolError
from model.base.files import PART_SUFFIX
from model.base.stored_rows import AnyPlaces
from stream.pool.columns import StoredColumns
from stream.pool.pool import Failure, current_generation, generation_folder, open_pool
from tools.pools.columns.damage import lost_songs
from tools.pools.columns.packing import pack
from tools.pools.place import remove, storing
from tools.pools.scan import FoundFile
from tools.pools.store import PoolStore, StoredSong

KEPT_GENERATIONS = 2
"""The current one, and the one before it that a player may still be opening."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A song that is the same recording as another, which is played in its place."""

    song: StoredSong
    of: StoredSong


class Generations:
    """The generations of a pool; owned by the thread that opened its store."""

    def __init__(self, store: PoolStore) -> None:
        """Write into the pool of a store."""
        self._store = store
        self._sound_edges: int | None = None

    def current(self) -> tuple[int | None, bool, list[int]]:
        """Return the current generation, whether it is complete, and its songs in order."""
        with storing(self._store.folder):
            generation = current_generation(self._store.folder)
            complete = self._store.database.execute(
                "SELECT complete FROM generations WHERE generation = ?", (generation,)
            ).fetchone()
            songs = self._store.database.execute(
                "SELECT song_id FROM generation_songs WHERE generation = ? ORDER BY position", (generation,)
            ).fetchall()
        return generation, complete is not None and bool(complete[0]), [row[0] for row in songs]

    def compared(self) -> dict[int, int]:
        """Return the song that the current generation plays in the place of each song that it knows."""
        generation, _, songs = self.current()
        with storing(self._store.folder):
            copies = self._store.database.execute(
                "SELECT song_id, of_song_id FROM copies WHERE generation = ?", (generation,)
            ).fetchall()
        return {song_id: song_id for song_id in songs} | dict(copies)

    def forget_lost(self) -> None:
        """Forget the analyses that are damaged, where the current generation cannot be opened for them."""
        kept = self._store.kept_columns()
        if not kept.places:
            return
        try:
            self._sound_edges = open_pool(self._store.folder).edge_samples
        except PoolError:
            lengths = self._store.lengths(kept.places)
            lost = kept.places if kept.stored is None else lost_songs(kept.stored, kept.places, lengths)
            self._store.forget(lost)

    def is_sound(self, edge_samples: int) -> bool:
        """Whether the current generation has edges of this length and the latest analyses.

        And whether it could be opened: asked of a build that has changed nothing since `forget_lost`.
        """
        _, _, songs = self.current()
        return self._sound_edges == edge_samples and self._store.all_placed(songs)

    def publish(
        self,
        songs: Sequence[StoredSong],
        copies: Sequence[Copy],
        edge_samples: int,
        failures: Iterable[tuple[FoundFile, Failure]],
        *,
        complete: bool,
        finish: Callable[[Path, StoredColumns, AnyPlaces], None] | None = None,
    ) -> int:
        """Make `songs`, in this order, the current generation, and return its number.

        copies: other files with the same recordings; what is known of them is kept in the same place.
        finish: given the folder of the generation before anybody reads it, the columns, and where the chunks
        stand in them; what it raises ends it.
        """
        folder = self._store.folder
        hashes = [song.audio_hash for song in (*songs, *(copy.song for copy in copies))]
        with storing(folder):
            kept = pack(self._store.kept_columns(), folder, self._store.key, hashes, edge_samples)
            stored, places = kept.stored, kept.places
            assert stored is not None, "packing makes columns"
            target = generation_folder(folder, self._next_generation())
            beside = target.with_name(target.name + PART_SUFFIX)
            beside.mkdir()
            try:
                if finish is not None:
                    standing = [places[song.audio_hash] for song in songs]
                    firsts, counts = np.array(
                        [[place.first_row, place.chunks] for place in standing], dtype=np.int64
                    ).T
                    finish(beside, stored, stored.rows_of(firsts, counts))
                beside.rename(target)
            except BaseException:
                remove(beside)
                raise
        generation = int(target.name)
        with self._store.transaction() as database:
            database.execute(
                "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?)",
                (generation, complete, edge_samples, time.time(), int(stored.folder.name), stored.chunks),
            )
            database.executemany(
                "INSERT INTO generation_songs VALUES (?, ?, ?, ?)",
                [
                    (generation, position, song.song_id, places[song.audio_hash].first_row)
                    for position, song in enumerate(songs)
                ],
            )
            database.execute("DELETE FROM places")
            database.executemany(
                "INSERT INTO places VALUES (?, ?, ?, ?)",
                [(name, self._store.key, place.first_row, place.chunks) for name, place in places.items()],
            )
            self._insert_copies(database, generation, copies)
            self._store.insert_failures(database, failures, replace=complete)
            database.execute(
                "INSERT OR REPLACE INTO meta VALUES ('generation', ?)",
                (str(generation),),
            )
        self._drop_generations()
        self._drop_columns(stored.folder)
        with storing(folder):
            for audio_hash in hashes:
                remove(self._store.rows_path(audio_hash))
        return generation

    def save_copies(self, generation: int, copies: Sequence[Copy]) -> None:
        """Keep which files are the same recordings as songs of a generation, in place of what was kept."""
        with self._store.transaction() as database:
            database.execute("DELETE FROM copies WHERE generation = ?", (generation,))
            self._insert_copies(database, generation, copies)

    def _drop_generations(self) -> None:
        with self._store.transaction() as database:
            rows = database.execute("SELECT generation FROM generations ORDER BY generation DESC").fetchall()
            kept = [row[0] for row in rows[:KEPT_GENERATIONS]]
            database.execute("DELETE FROM generations WHERE generation < ?", (kept[-1],))
        with storing(self._store.folder):
            for path in (self._store.folder / "generations").iterdir():
                if re.fullmatch(r"\d{6,}", path.name) and int(path.name) not in kept:
                    remove(path)

    def _drop_columns(self, kept: Path) -> None:
        """Remove columns that were written anew elsewhere; who reads them still, reads on."""
        with storing(self._store.folder):
            for path in (self._store.folder / "columns").iterdir():
                if path != kept:
                    remove(path)

    def _next_generation(self) -> int:
        listed = self._store.database.execute(
            "SELECT COALESCE(MAX(generation), 0) FROM generations"
        ).fetchone()[0]
        # A build that was killed just before its transaction left a folder that is not listed.
        there = [
            int(path.stem) for path in (self._store.folder / "generations").iterdir() if path.stem.isdigit()
        ]
        return int(max([listed, *there])) + 1

    def _insert_copies(self, database: sqlite3.Connection, generation: int, copies: Sequence[Copy]) -> None:
        database.executemany(
            "INSERT INTO copies VALUES (?, ?, ?)",
            [(generation, copy.song.song_id, copy.of.song_id) for copy in copies],
        )
