"""The origin of a pool says of which music it was built last, and how, so that it can be built again."""

import json
from dataclasses import dataclass
from pathlib import Path

from stream.pool.database import reading_database

ORIGIN_KEY = "origin"
"""Its row in the table `meta`."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What `endlos pool build` was given."""

    music: tuple[Path, ...]
    """Folders, files and playlists, absolute."""
    options: tuple[str, ...]
    """Words of its command line that cut and keep alike."""

    def as_json(self) -> str:
        """Return it as the database has it."""
        return json.dumps({"music": [str(path) for path in self.music], "options": list(self.options)})


def origin_of(folder: Path) -> Origin | None:
    """Return the origin of the pool in `folder`; None where an earlier endlos built it last.

    Raises `PoolError` when there is no pool, or its database is damaged.
    """
    with reading_database(folder) as database:
        row = database.execute("SELECT value FROM meta WHERE key = ?", (ORIGIN_KEY,)).fetchone()
    try:
        told = json.loads(row[0])
        return Origin(
            music=tuple(Path(path) for path in told["music"]), options=tuple(map(str, told["options"]))
        )
    except (TypeError, ValueError, KeyError):
        return None
