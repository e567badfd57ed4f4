"""The timelines of a pool are read when they are first asked for, and the latest are kept."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable

from model.base.errors import PoolError
from stream.pool.pool import Pool
from stream.pool.timeline import SongTimeline, decoded_timeline, stored_timelines

_log = logging.getLogger(__name__)

KEPT_TIMELINES = 3_072
"""A timeline takes about 25 kB, with what is reckoned of its levels."""


class Timelines:
    """Gives the timeline of any song of a pool; any thread may ask."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, SongTimeline | None] = OrderedDict()
        # Whether it was said that the database cannot be read.
        self._failing = False

    def of(self, song: int) -> SongTimeline | None:
        """Return the timeline of a song by its index; None where it is not known, or damaged (logged)."""
        return self.read([song])[song]

    def read(self, songs: Iterable[int]) -> dict[int, SongTimeline | None]:
        """Return the timelines of some songs, as `of` does; those that are not kept are read at once."""
        wanted = dict.fromkeys(songs)
        with self._lock:
            found = {song: self._kept[song] for song in wanted if song in self._kept}
            for song in found:
                self._kept.move_to_end(song)
        missing = [song for song in wanted if song not in found]
        read = self._read(missing) if missing else {}
        with self._lock:
            self._kept |= read
            while len(self._kept) > KEPT_TIMELINES:
                self._kept.popitem(last=False)
        return wanted | found | read

    def _read(self, songs: list[int]) -> dict[int, SongTimeline | None]:
        # A stream goes on: what is not known of one song makes its joins plainer.
        try:
            stored = stored_timelines(self._pool, songs)
        except PoolError as error:
            # Of none is it known that it is damaged: they are asked for again with the next join.
            if not self._failing:
                _log.warning("%s", error)
            self._failing = True
            return {}
        self._failing = False
        found: dict[int, SongTimeline | None] = dict.fromkeys(songs)
        for song, data in zip(songs, stored, strict=True):
            try:
                found[song] = decoded_timeline(self._pool, song, data)
            except PoolError as error:
                _log.warning("%s", error)
        return found
