"""This helper builds a pool once and lays it, with its music, as it was for each test that changes it."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from stream.pool.database import DATABASE_FILE
from tests.support.music import quick_settings, write_music
from tools.pools.build import build_pool


class LaidPool:
    """A pool of songs of six seconds, by `quick_settings`; to copy it is a fiftieth of building it."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """folder: empty; where music and pool are laid and kept. names: of the songs, with suffixes."""
        self._place, self._kept = folder / "laid", folder / "kept"
        self.music, self.pool = self._place / "music", self._place / "pool"
        write_music(self.music, names)
        build_pool([self.music], self.pool, quick_settings())
        shutil.copytree(self._place, self._kept)

    def lay(self) -> Path:
        """Undo what was done to music and pool since they were built; return the pool's folder."""
        shutil.rmtree(self._place)
        shutil.copytree(self._kept, self._place)
        # A copy keeps size and times, but for the time at which the system itself saw the file change.
        with closing(sqlite3.connect(self.pool / DATABASE_FILE)) as database, database:
            for path in self.music.iterdir():
                stamp = (path.stat().st_ctime_ns, path.name)
                database.execute("UPDATE songs SET ctime_ns = ? WHERE path = ?", stamp)
        return self.pool
