"""The controls are what a page or a program may do to a running stream, and how they see it."""

from typing import Protocol

from stream.engine.engine import Engine
from stream.service.moment import Moment


class Controls(Protocol):
    """A running stream, such as a session; every method belongs to any thread."""

    @property
    def engine(self) -> Engine:
        """What plays."""

    def moment(self) -> Moment:
        """Return how all is now."""

    def skip(self) -> None:
        """Go on to another piece at once."""

    def set_pause(self, paused: bool) -> None:
        """Stand still, or go on."""

    def sleep(self, in_s: float | None) -> None:
        """Fade out in so many seconds, and pause then; None: go on."""
