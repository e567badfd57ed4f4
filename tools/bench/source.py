"""This module holds the pool that is measured, and how a run is called."""

import time
from pathlib import Path

from model.base.errors import PoolError
from stream.pool.pool import open_pool
from tools.bench.settings import BenchSettings, Notice
from tools.running.preparing import prepare

_POLL_S = 0.1


def bench_pool(pool: Path | None, notice: Notice = lambda text: None) -> Path:
    """Return the folder of a pool that can be opened: the one given, else that of the demo songs."""
    if pool is None:
        notice("preparing the demo songs")
        prepared = prepare(None)
        try:
            while prepared.build is not None and prepared.build.running:
                time.sleep(_POLL_S)
            failure = None if prepared.build is None else prepared.build.failure()
        finally:
            prepared.close()
        if failure is not None:
            raise PoolError(failure)
        pool = prepared.pool
    pool = pool.expanduser()
    open_pool(pool)
    return pool


def about(settings: BenchSettings) -> dict[str, object]:
    """Return what is measured: how large the pool is, and which model."""
    pool = open_pool(settings.pool)
    return {
        "songs": len(pool.songs),
        "chunks": len(pool),
        "model": settings.model.name if settings.model else "carried",
    }
