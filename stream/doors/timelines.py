"""The timelines of a pool are read when they are first asked for, and the latest are kept."""

import threading
from collections import OrderedDict

from stream.pool.pool import Pool
from stream.pool.timeline import SongTimeline, read_timeline

KEPT_TIMELINES = 4_096
"""A timeline takes about 10 kB."""


class Timelines:
    """Gives the timeline of any song of a pool; any thread may ask."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, SongTimeline | None] = OrderedDict()

    def of(self, song: int) -> SongTimeline | None:
        """Return the timeline of a song by its index; None where it is not known. `PoolError` (damaged)."""
        with self._lock:
            if song in self._kept:
                self._kept.move_to_end(song)
                return self._kept[song]
        found = read_timeline(self._pool, song)
        with self._lock:
            self._kept[song] = found
            while len(self._kept) > KEPT_TIMELINES:
                self._kept.popitem(last=False)
        return found
