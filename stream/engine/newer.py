"""This module watches a pool for a newer generation that can be played, and for judgements of joins.

A newer one is opened by a thread of its own: that takes some tenths of a second, on a slow disk any time, and
decisions must not wait for it.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.saved.carried import carried_model
from stream.choosing.generation import Generation, open_generation
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.planner import Planner
from stream.engine.settings import EngineSettings
from stream.pool.database import database_mark
from stream.pool.feedback import LabelledJoin, SongOpinion, labelled_joins, song_opinions
from stream.pool.pool import current_generation
from stream.scoring.settings import ScoringSettings

_log = logging.getLogger(__name__)


class PoolWatch:
    """Opens what is current in a pool, and tells a planner what is new; `judged` belongs to any thread.

    What cannot be used is opened once and told once, however often it is asked for.
    """

    def __init__(self, folder: Path, settings: EngineSettings, *, live: bool) -> None:
        """live: a score that hangs must not end the planning."""
        self._folder = folder
        self._settings = settings
        self._live = live
        self._lock = threading.Lock()
        self._judged: Sequence[LabelledJoin] | None = None
        self._looking = self._closed = False
        self._played: int | None = None
        self._newer: Generation | None = None
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        # These belong to the thread that looks.
        self._refused: int | None = None
        self._told = ""
        self._seen: tuple[object, ...] | None = None

    def open(self) -> Generation:
        """Open the current generation; `PoolError` or `ModelError` when there is no stream in it."""
        settings = self._settings
        model: Path | None = None
        if settings.planner.strategy == "model":
            model = settings.model or carried_model()
        scoring = ScoringSettings(
            model=model,
            threads=settings.scorer_threads,
            guarded=self._live,
            simulate_slow_ms=settings.simulate_slow_ms,
        )
        return open_generation(self._folder, scoring, engine_rate_hz=settings.engine_rate_hz)

    def judged(self, joins: Sequence[LabelledJoin]) -> None:
        """Have the next look tell the planner what listeners think of joins, all of them, oldest first."""
        with self._lock:
            self._judged = joins

    def look(self, planner: Planner) -> Generation | None:
        """Return a newer generation to go on in; None when there is none yet, or it cannot be used.

        For the planner's thread, which waits for nothing here and reads no file: what the last look began to
        open is returned by the first look after it is open, and what was judged came with its judgement.
        """
        with self._lock:
            judged, self._judged = self._judged, None
        if judged is not None:
            planner.judge(judged)
        with self._lock:
            newer, self._newer = self._newer, None
            if newer is None and not self._looking:
                self._looking = True
                self._played = planner.generation.pool.generation
                self._wanted.set()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="pool watch", daemon=True)
                    self._thread.start()
        return newer

    def close(self) -> None:
        """End: what is open and was not taken is closed, by whoever opens it if that is still to come."""
        with self._lock:
            self._closed = True
            newer, self._newer = self._newer, None
        self._wanted.set()
        if newer is not None:
            newer.close()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            self._look()

    def _look(self) -> None:
        newer = self._open_newer(self._played)
        with self._lock:
            self._looking = False
            if not self._closed:
                self._newer, newer = newer, None
        if newer is not None:
            newer.close()

    def _open_newer(self, played: int | None) -> Generation | None:
        number = None
        try:
            # What nobody has written into since the last look says the same: the pool is not opened for it.
            before, self._seen = self._seen, None
            seen = database_mark(self._folder)
            if seen is not None and seen == before:
                self._seen = seen
                return None
            number = current_generation(self._folder)
            self._seen = seen
            if number in (played, self._refused):
                return None
            return self.open()
        except Exception as error:  # a damaged pool raises whatever it likes: the stream stays in its own
            self._refused = number
            told = str(error) if isinstance(error, EndlosError) else f"{type(error).__name__}: {error}"
            if told != self._told:
                self._told = told
                _log.warning("the newer pool is left aside: %s", told)
            return None


def judged_songs(folder: Path) -> Steering:
    """Return how songs of a pool were judged; none, and a warning, where that cannot be read."""
    try:
        opinions = song_opinions(folder)
    except PoolError as error:
        _log.warning("%s", error)
        return NOT_STEERED
    songs: dict[SongOpinion, set[str]] = {"muted": set(), "favoured": set()}
    for audio_hash, opinion in opinions.items():
        songs[opinion].add(audio_hash)
    return Steering(muted=frozenset(songs["muted"]), favoured=frozenset(songs["favoured"]))


def judged_joins(folder: Path) -> list[LabelledJoin]:
    """Return the joins that were judged in a pool; none, and a warning, where they cannot be read."""
    try:
        return labelled_joins(folder)
    except PoolError as error:
        # What was thought of joins is no reason to be silent.
        _log.warning("%s", error)
        return []
