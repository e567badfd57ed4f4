"""A step source gives the renderer its steps, planned when asked (offline), or ahead by a thread (live)."""

from collections.abc import Sequence
from typing import Protocol

from model.base.errors import EndlosError
from stream.choosing.bans import NothingReadableError
from stream.choosing.generation import Chunk
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.planner import Planner
from stream.choosing.step import Step


class StepSource(Protocol):
    """Steps in the order in which they are played; all but `leaves` and `steer` is the renderer's."""

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Return the step after `after` and count it as played; `EndlosError` when nothing can be played.

        With `jump` it leads into another song, if there is one. After a `NothingReadableError` it may be
        asked again, a little later.
        """

    def leaves(self) -> bool:
        """Whether `take` with `jump` has a step at once; else it soon will. Any thread."""

    def peek(self) -> Step | None:
        """Return the next step that leaves the song, if it is known already, else the next one."""

    def planned(self) -> Sequence[Step]:
        """Return the steps that are planned and not taken yet, in order."""

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Plan no more steps into this song, whose file cannot be read; the stream stands at chunk `at`."""

    def steer(self, steering: Steering) -> None:
        """Choose as the listener wants it, as soon as no step is ready that would not. Any thread."""

    def close(self) -> None:
        """End; nothing is taken afterwards."""


class Immediate:
    """Plans a step when it is asked for: a function of pool, model, seed and settings alone."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._steering = self._told = NOT_STEERED

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Plan the step after `after`, however long that takes."""
        if after is not None:
            self._planner.anchor(after)
        if self._told is not self._steering:
            self._told = self._steering
            self._planner.steer(self._told)
        try:
            step = self._planner.next(leave=jump)
        except NothingReadableError as error:
            # Nobody listens yet: a file is better begun anew than filled with silence.
            raise EndlosError(str(error)) from error
        self._planner.deliver(step)
        return step

    def leaves(self) -> bool:
        """It is planned when it is asked for."""
        return True

    def peek(self) -> Step | None:
        """Nothing is known ahead."""
        return None

    def planned(self) -> Sequence[Step]:
        """Nothing is known ahead."""
        return ()

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Plan no more steps into this song."""
        self._planner.ban(audio_hash)

    def steer(self, steering: Steering) -> None:
        """Choose as the listener wants it from the next step on. Any thread."""
        self._steering = steering

    def close(self) -> None:
        """Nothing to end."""
