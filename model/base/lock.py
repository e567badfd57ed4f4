"""A lock keeps a folder to one process at a time, and ends with the process, however that ends."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from model.base.errors import EndlosError


@contextmanager
def held_alone(lock: Path, otherwise: EndlosError) -> Iterator[None]:
    """Hold the file `lock`, an empty one (made if need be); raise `otherwise` where another process does.

    Where it cannot be made, or the file system knows no locks, nothing is held. Any thread may end it.
    """
    with ExitStack() as opened:
        try:
            # SQLite's own lock of an empty file: the same on every system, and never left behind.
            connection = sqlite3.connect(lock, timeout=0, isolation_level=None, check_same_thread=False)
            opened.enter_context(closing(connection))
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise otherwise from error
        yield
