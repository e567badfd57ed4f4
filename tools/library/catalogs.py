"""A catalog is the database of another player; each kind that can be read is listed here."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import PoolError
from tools.library.beets import BEETS_TABLES, beets_entries
from tools.library.entries import Entry
from tools.library.navidrome import NAVIDROME_TABLES, navidrome_entries

_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, kw_only=True)
class CatalogKind:
    """A player whose database can be read."""

    name: str
    tables: frozenset[str]
    """Tables that tell it from others."""
    entries: Callable[[sqlite3.Connection, Path, Sequence[Path]], Iterator[Entry]]
    """Yields the songs; may raise `sqlite3.Error`, or `KeyError` for a column that is not there."""


CATALOG_KINDS = (
    CatalogKind(name="beets", tables=BEETS_TABLES, entries=beets_entries),
    CatalogKind(name="Navidrome", tables=NAVIDROME_TABLES, entries=navidrome_entries),
)


def is_catalog(path: Path) -> bool:
    """Whether a file is a database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_catalog(path: Path, roots: Sequence[Path] = ()) -> list[Entry]:
    """Return the songs of another player's database, in their order; nothing is written there.

    roots: folders in which the files are looked for. `PoolError` when it is of no player that is known, or
    cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            kind = next((kind for kind in CATALOG_KINDS if kind.tables <= tables), None)
            if kind is None:
                known = " or ".join(kind.name for kind in CATALOG_KINDS)
                raise PoolError(f"{path} is a database, but none of {known}; give music, or one of those")
            entries = list(kind.entries(database, path, roots))
    except (sqlite3.Error, KeyError, TypeError, UnicodeDecodeError) as error:
        raise PoolError(
            f"{path} cannot be read as a database ({error}); give a copy that is whole"
        ) from error
    if not entries:
        raise PoolError(f"{path} holds no songs; let {kind.name} look through its music first")
    return entries
