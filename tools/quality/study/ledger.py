"""The ledger keeps what every run came to, so that a study goes on where it was stopped."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.base.errors import EndlosError
from tools.quality.study.runs import Part, StudyRun, WantedRun

LEDGER_FILE = "study.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    key     TEXT PRIMARY KEY,   -- hash of the run, of its music and of what decides the result
    run     TEXT NOT NULL,      -- the run itself, as JSON
    figures TEXT,               -- what it came to, as JSON; NULL: it failed
    failed  TEXT,               -- the sentence of the failure; NULL: it did not
    done_s  REAL NOT NULL       -- when, in seconds since 1970
) WITHOUT ROWID;
"""
RunFigures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class KeptRun:
    """What became of a run: figures, or the sentence of its failure."""

    figures: RunFigures | None
    failed: str | None = None

    def has(self, parts: frozenset[Part]) -> bool:
        """Whether all that is wanted of it was measured."""
        return self.figures is not None and all(part in self.figures for part in parts)


class Ledger:
    """The runs of a study, in SQLite; one writes, others may read meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Open or make the ledger in `folder`; `EndlosError` when it cannot be."""
        self.path = folder / LEDGER_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, isolation_level=None)
            with self._told():
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.executescript(_SCHEMA)
        except OSError as error:
            raise EndlosError(f"{folder} cannot be written: {error.strerror}; name another --out") from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def kept(self, run: StudyRun) -> KeptRun | None:
        """Return what became of a run; None when it was never done."""
        with self._told(), closing(self._database.cursor()) as cursor:
            row = cursor.execute("SELECT figures, failed FROM runs WHERE key = ?", (run.key,)).fetchone()
        if row is None:
            return None
        return KeptRun(figures=None if row[0] is None else json.loads(row[0]), failed=row[1])

    def keep(self, run: StudyRun, outcome: KeptRun) -> None:
        """Write down what became of a run, in the place of what it had come to before."""
        figures = None if outcome.figures is None else json.dumps(outcome.figures, allow_nan=False)
        with self._told():
            self._database.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)",
                (run.key, json.dumps(run.plain()), figures, outcome.failed, time.time()),
            )

    def open_runs(self, wanted: list[WantedRun]) -> list[WantedRun]:
        """Return the runs that are to be done: never done, failed, or with less measured than is wanted."""
        found = []
        for one in wanted:
            kept = self.kept(one.run)
            if kept is None or not kept.has(one.parts):
                found.append(one)
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise EndlosError(
                f"{self.path} cannot be read or written ({error}); free some space, or delete it to begin "
                f"anew"
            ) from error
