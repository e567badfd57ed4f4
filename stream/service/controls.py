"""The controls are what a page or a program may do to a running stream, and how they see it."""

from pathlib import Path
from typing import Protocol

from stream.choosing.journey.steering import Steering
from stream.engine.engine import Engine
from stream.pool.feedback import SongOpinion
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

    def say(self, path: Path, *, name: str | None = None) -> None:
        """Play a recording between two pieces; `EndlosError`, and `TooManyWaitError` while many wait."""

    @property
    def steering(self) -> Steering:
        """What is wanted of the choice."""

    def steer(self, steering: Steering) -> None:
        """Choose so from the next decision on; `EndlosError` for a song that the pool does not hold."""

    def judge_song(self, audio_hash: str, opinion: SongOpinion | None) -> None:
        """Remember what is thought of a song, and choose accordingly; `EndlosError` as for `steer`."""
