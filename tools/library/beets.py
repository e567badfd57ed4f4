"""A library of beets is an SQLite database, with the path of each song as bytes and all that it says."""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import platformdirs

from tools.library.entries import Entry, found_entry
from tools.songs.labels import named_labels

BEETS_TABLES = frozenset({"items", "albums", "item_attributes"})
_SEPARATOR = "\\\u2400"
"""What stands between the values of one field."""
_NOT_SAID = re.compile(r"id|path|lyrics|added|mtime|(mb|rg|r128|acoustid|discogs)_.*|.*_(id|ids|sort|credit)")
_DIRECTORY = re.compile(r"""^directory:\s*(["']?)(?P<folder>.+?)\1\s*(#.*)?$""", re.MULTILINE)


def beets_entries(database: sqlite3.Connection, path: Path, roots: Sequence[Path]) -> Iterator[Entry]:
    """Yield the songs of a library, album by album; `sqlite3.Error` where it cannot be read.

    A newer beets keeps paths relative to its music folder, which the database does not name.
    """
    folders = (*roots, *_music_folders(path), path.parent)
    more: dict[int, list[tuple[str, list[str]]]] = {}
    for item, key, value in database.execute(
        "SELECT entity_id, key, value FROM item_attributes UNION ALL SELECT items.id, key, value"
        " FROM album_attributes JOIN items ON items.album_id = album_attributes.entity_id"
    ):
        more.setdefault(item, []).append((key, [str(value)]))
    rows = database.execute("SELECT * FROM items ORDER BY albumartist, year, album, disc, track, path")
    names = [column[0] for column in rows.description]
    for row in rows:
        item = dict(zip(names, row, strict=True))
        said = [
            (name, str(value).split(_SEPARATOR))
            for name, value in item.items()
            if value and not _NOT_SAID.fullmatch(name)
        ]
        labels = named_labels([*said, *more.get(item["id"], [])])
        yield found_entry(folders, os.fsdecode(item["path"]), labels=labels)


def _music_folders(database: Path) -> Iterator[Path]:
    """Yield where the music may be: as the configuration beside the database has it, else as beets does."""
    with suppress(OSError, UnicodeDecodeError):
        named = _DIRECTORY.search((database.parent / "config.yaml").read_text(encoding="utf-8"))
        if named:
            yield (database.parent / named["folder"]).expanduser()
    yield platformdirs.user_music_path()
