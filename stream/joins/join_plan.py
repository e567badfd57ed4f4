"""A join plan says, whole, how a chunk goes over into the next; a join source gives plans to the renderer."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

from model.base.errors import EndlosError
from stream.choosing.generation import Chunk
from stream.choosing.step import Step
from stream.joins.levels import Release
from stream.joins.settings import SoundSettings


@dataclass(frozen=True, kw_only=True)
class JoinPlan:
    """One join, whole: with it and the songs every sample of it is known. Frames are the engine's."""

    leave_frame: int
    """A's frame at the middle of the join, where both are equally loud."""
    enter_frame: int
    """B's frame at the same time."""
    before_frames: int
    """The fade begins this long before its middle, ..."""
    after_frames: int
    """... and ends this long after it."""
    correlation: float
    """Correlation of both inside the fade, which chooses the fade's law."""
    match_db: float
    """B's gain at the join, on top of its song's own."""
    release_frames: int
    """From the end of the fade that gain takes this long to go back to 0 dB."""
    shift_frames: int
    """How much later B is than with its start on A's cut."""
    terms: dict[str, float | None]
    """What led to it, by name; units are in the names."""

    @property
    def begin_frame(self) -> int:
        """A's frame at which the fade begins."""
        return self.leave_frame - self.before_frames

    @property
    def fade_frames(self) -> int:
        """Length of the fade."""
        return self.before_frames + self.after_frames

    @property
    def release(self) -> Release:
        """B's gain from here on."""
        stop = self.enter_frame + self.after_frames
        return Release(offset_db=self.match_db, start_frame=stop, frames=self.release_frames)

    def as_json(self) -> dict[str, object]:
        """Return its fields for the decision log; `from_json` gives the same plan again, exactly."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "JoinPlan":
        """Read what `as_json` gave; `EndlosError` when it is something else."""
        try:
            return cls(**fields)
        except TypeError as error:
            raise EndlosError(
                f"a join of the log cannot be read ({error}); replay it with the endlos that wrote it"
            ) from error


class JoinSource(Protocol):
    """Where the renderer has its joins from: planned from the audio, or read from a log."""

    settings: SoundSettings
    reach_frames: int
    """No join begins longer than this before A's cut, whatever comes after."""

    def plan(self, step: Step, before: Chunk, release: Release, jump_frame: int | None) -> JoinPlan:
        """Return how `before`, with its `release`, goes over into the step's chunk.

        jump_frame: leave at once, from this frame of A's song on; None: at A's cut.
        """
