"""Navidrome keeps an SQLite database, with the path of each song in its library and what is said of it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from tools.library.entries import Entry, found_entry
from tools.songs.labels import named_labels

NAVIDROME_TABLES = frozenset({"media_file", "album", "property"})
_SAID = ("title", "artist", "album", "album_artist", "genre", "year", "date", "bpm", "comment")


def navidrome_entries(database: sqlite3.Connection, path: Path, roots: Sequence[Path]) -> Iterator[Entry]:
    """Yield the songs that the server has not missed, album by album; `sqlite3.Error` as it comes.

    Until version 0.54 paths were absolute; since then they are relative to a library, whose folder may be
    one of the server's container: they are looked for in `roots` as well.
    """
    columns = {name for _, name, *_ in database.execute("PRAGMA table_info(media_file)")}
    libraries: dict[int, str] = {}
    if "library_id" in columns:
        libraries = dict(database.execute("SELECT id, path FROM library"))
    here = "WHERE NOT missing" if "missing" in columns else ""
    rows = database.execute(
        f"SELECT * FROM media_file {here} ORDER BY album_artist, year, album, disc_number, track_number, path"
    )
    names = [column[0] for column in rows.description]
    for row in rows:
        song = dict(zip(names, row, strict=True))
        folder = libraries.get(song.get("library_id", 0), "")
        said = [(name, [song[name]]) for name in _SAID if song.get(name)]
        labels = named_labels([*said, *_tags(song.get("tags"))])
        # Of an absolute path the folder before it is dropped.
        name = str(PurePosixPath(folder) / song["path"])
        yield found_entry((path.parent, *roots), name, labels=labels)


def _tags(text: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the tags of a song: of each name values, or records with a `value`."""
    with suppress(TypeError, ValueError, AttributeError):
        for name, values in json.loads(text).items():
            yield (
                name,
                [str(value["value"] if isinstance(value, dict) else value) for value in values if value],
            )
