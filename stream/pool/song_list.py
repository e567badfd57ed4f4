"""The database says of each song of a generation where its file is, and what is known of it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import IntArray
from model.base.errors import PoolError
from stream.pool.columns import FINGERPRINT_FRAMES
from stream.pool.database import DATABASE_FILE
from stream.pool.song_table import SongTable
from stream.pool.songs import Song, Track

_AT_ONCE = 1_024
"""Songs that are read from the database at a time."""


@dataclass(frozen=True, kw_only=True)
class SongList:
    """The songs of a generation, in order, and where what is known of their chunks stands."""

    songs: SongTable
    counts: IntArray
    """Chunks of each."""
    first_rows: IntArray
    """Of each in the columns."""


def read_songs(connection: sqlite3.Connection, folder: Path, generation: int) -> SongList:
    """Return the songs of a generation.

    connection: its rows are `sqlite3.Row`. `PoolError` where a field holds what it cannot; `sqlite3.Error`.
    """
    copies: dict[int, list[sqlite3.Row]] = {}
    for row in _plausible(
        folder,
        connection.execute(
            """SELECT of_song_id, root, path, audio_hash, sample_rate_hz
               FROM copies JOIN songs USING (song_id) WHERE generation = ? ORDER BY root, path""",
            (generation,),
        ).fetchall(),
    ):
        copies.setdefault(row["of_song_id"], []).append(row)
    tracks: dict[int, list[Track]] = {}
    for row in _plausible(
        folder,
        connection.execute(
            """SELECT song_id, start_sample, tracks.title, tracks.artist
               FROM generation_songs JOIN tracks USING (song_id)
               WHERE generation = ? ORDER BY song_id, start_sample""",
            (generation,),
        ).fetchall(),
    ):
        track = Track(start_sample=row["start_sample"], title=row["title"], artist=row["artist"])
        tracks.setdefault(row["song_id"], []).append(track)
    known_in = _known_in(connection)
    cursor = connection.execute(
        """SELECT song_id, root, path, audio_hash, sample_rate_hz, channels, frames, title,
                  artist, album, loudness_lufs, true_peak_db, seekable, cut, chunks, first_row
           FROM generation_songs JOIN songs USING (song_id)
           WHERE generation = ? ORDER BY position""",
        (generation,),
    )
    roots: dict[str, Path] = {}
    places: list[tuple[int, int]] = []

    def songs() -> Iterator[Song]:
        while some := _plausible(folder, cursor.fetchmany(_AT_ONCE)):
            for row in some:
                root = roots.setdefault(row["root"], Path(row["root"]))
                song_id = row["song_id"]
                yield _song(row, root, copies.get(song_id, []), known_in, tuple(tracks.get(song_id, ())))
                places.append((row["chunks"], row["first_row"]))

    table = SongTable(songs())
    counts, first_rows = np.array(places, dtype=np.int64).reshape(-1, 2).T
    return SongList(songs=table, counts=counts, first_rows=first_rows)


def _known_in(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the hashes of the files that each song was known in, by its audio hash."""
    known_in: dict[str, list[str]] = {}
    for file_hash, audio_hash in connection.execute("SELECT file_hash, audio_hash FROM file_hashes"):
        known_in.setdefault(audio_hash, []).append(file_hash)
    return known_in


_PLAUSIBLE: dict[str, tuple[type[Any], float, float]] = {
    "song_id": (int, 0, 2**63),
    "of_song_id": (int, 0, 2**63),
    "sample_rate_hz": (int, 1, 10**7),
    "channels": (int, 1, 1_000),
    "start_sample": (int, 0, 2**40),
    "frames": (int, FINGERPRINT_FRAMES, 2**40),
    "loudness_lufs": (float, -70.0, 100.0),
    "true_peak_db": (float, -400.0, 400.0),
    "seekable": (int, 0, 1),
    "chunks": (int, 0, 2**32),
    "first_row": (int, 0, 2**32),
}
"""SQLite keeps whatever it is given in any field; and of all of them a stream is made."""


def _plausible(folder: Path, rows: list[sqlite3.Row]) -> list[sqlite3.Row]:
    """Return rows of songs as they are; `PoolError` where a field holds what it cannot."""
    for name, values in zip(rows[0].keys() if rows else (), zip(*rows, strict=True), strict=True):
        kind, least, most = _PLAUSIBLE.get(name, (str, 0, 0))
        # All values of a field at a time: a library has tens of thousands of songs.
        plausible = set(map(type, values)) == {kind}
        if plausible and kind is str:
            plausible = "\0" not in "".join(values)
        elif plausible:
            plausible = least <= min(values) and max(values) <= most
        if not plausible:
            value = next(value for value in values if not _is_plausible(value, kind, least, most))
            raise PoolError(
                f"{folder / DATABASE_FILE} is damaged (a song has {name} {str(value)[:40]!r}); "
                "restore it, or delete the pool folder and build it anew"
            )
    return rows


def _is_plausible(value: object, kind: type[Any], least: float, most: float) -> bool:
    if isinstance(value, str):
        return kind is str and "\0" not in value
    return isinstance(value, kind) and least <= value <= most


def _song(
    row: sqlite3.Row,
    root: Path,
    own: list[sqlite3.Row],
    known_in: dict[str, list[str]],
    tracks: tuple[Track, ...],
) -> Song:
    audio_hash, rate_hz = row["audio_hash"], row["sample_rate_hz"]
    # What is said of a copy is said in its samples, which are this song's where the rate is the same.
    names = [copy["audio_hash"] for copy in own if copy["sample_rate_hz"] == rate_hz]
    others = [*names, *(file for audio in (audio_hash, *names) for file in known_in.get(audio, ()))]
    return Song(
        song_id=row["song_id"],
        path=root / row["path"],
        name=row["path"],
        audio_hash=audio_hash,
        sample_rate_hz=rate_hz,
        channels=row["channels"],
        frames=row["frames"],
        title=row["title"],
        artist=row["artist"],
        album=row["album"],
        loudness_lufs=row["loudness_lufs"],
        true_peak_db=row["true_peak_db"],
        seekable=bool(row["seekable"]),
        cut=row["cut"],
        other_hashes=tuple(dict.fromkeys(others)),
        copies=tuple(Path(copy["root"]) / copy["path"] for copy in own),
        tracks=tracks,
    )
