"""This module watches a pool for a newer generation that can be played, and for judgements of joins."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from stream.choosing.generation import Generation
from stream.choosing.planner import Planner
from stream.pool.feedback import LabelledJoin, labelled_joins
from stream.pool.pool import current_generation

_log = logging.getLogger(__name__)


class Newer:
    """Tells a planner what is new in its pool; `look` belongs to the planner's thread, `judged` to any.

    What cannot be used is opened once and told once, however often it is asked for.
    """

    def __init__(self, folder: Path, planner: Planner, open_current: Callable[[], Generation]) -> None:
        """open_current: opens the generation of the pool that is current then."""
        self._folder = folder
        self._planner = planner
        self._open_current = open_current
        self._judged = threading.Event()
        self._refused: int | None = None
        self._told = ""

    def judged(self) -> None:
        """Make the next look read again what listeners thought of joins."""
        self._judged.set()

    def look(self) -> Generation | None:
        """Return a newer generation to go on in; None when there is none, or it cannot be used."""
        if self._judged.is_set():
            self._judged.clear()
            self._planner.judge(judged_joins(self._folder))
        number = None
        try:
            number = current_generation(self._folder)
            if number in (self._planner.generation.pool.generation, self._refused):
                return None
            return self._open_current()
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
