"""This module watches a pool for a newer generation that can be played, and for judgements of joins."""

import logging
import threading
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.saved.contract import carried_model
from stream.choosing.generation import Generation, open_generation
from stream.choosing.planner import Planner
from stream.engine.settings import EngineSettings
from stream.pool.feedback import LabelledJoin, labelled_joins
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
        self._judged = threading.Event()
        self._refused: int | None = None
        self._told = ""

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

    def judged(self) -> None:
        """Make the next look read again what listeners thought of joins."""
        self._judged.set()

    def look(self, planner: Planner) -> Generation | None:
        """Return a newer generation to go on in; None when there is none, or it cannot be used.

        For the planner's thread: what listeners thought of joins meanwhile is told it.
        """
        if self._judged.is_set():
            self._judged.clear()
            planner.judge(judged_joins(self._folder))
        number = None
        try:
            number = current_generation(self._folder)
            if number in (planner.generation.pool.generation, self._refused):
                return None
            return self.open()
        except EndlosError as error:
            self._refused = number
            if str(error) != self._told:
                self._told = str(error)
                _log.warning("the newer pool is left aside: %s", error)
            return None


def judged_joins(folder: Path) -> list[LabelledJoin]:
    """Return the joins that were judged in a pool; none, and a warning, where they cannot be read."""
    try:
        return labelled_joins(folder)
    except PoolError as error:
        # What was thought of joins is no reason to be silent.
        _log.warning("%s", error)
        return []
