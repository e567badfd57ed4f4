"""A join plan says, whole, how a chunk goes over into the next; a join source gives plans to the renderer."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

from stream.choosing.generation import Chunk
from stream.choosing.step import Step
from stream.doors.door import JoinKind
from stream.joins.levels import RELEASE_DB_PER_S, Release, matched_db
from stream.joins.settings import SoundSettings
from stream.joins.sound import JoinSound, Sound

LEAST_MATCH_DB = 0.1


@dataclass(frozen=True, kw_only=True)
class JoinPlan(ABC):
    """One join, whole: with it and the songs every sample of it is known. Frames are the engine's.

    A subclass for each kind (`stream.joins.kinds`) has what else it takes, and makes the sound of it.
    """

    kind: ClassVar[JoinKind]

    begin_frame: int
    """A's frame from which on the join makes what is heard."""
    before_frames: int
    """The join begins this long before its middle, from where on B is what plays, ..."""
    after_frames: int
    """... and ends this long after it."""
    leave_frame: int
    """A's frame that is heard in the middle."""
    enter_frame: int
    """B's frame at the same time."""
    match_db: float = 0.0
    """B's gain in the join, on top of its song's own."""
    release_frames: int = 0
    """From the end of the join that gain takes this long to go back to 0 dB."""
    shift_frames: int = 0
    """How much later B is than with its start on A's cut."""
    terms: dict[str, float | None] = field(default_factory=dict)
    """What led to it, by name; units are in the names."""

    @property
    def fade_frames(self) -> int:
        """How long it takes."""
        return self.before_frames + self.after_frames

    @property
    def first_frame(self) -> int:
        """B's frame that belongs to the beginning of the join, whether it is heard there or not."""
        return self.enter_frame - self.before_frames

    @property
    def enters_frames(self) -> int:
        """B sounds from so long after the beginning on."""
        return 0

    @property
    def law(self) -> str:
        """How levels change in it, in words."""
        return "power-complementary"

    @property
    def release(self) -> Release:
        """B's gain from here on."""
        stop = self.enter_frame + self.after_frames
        return Release(offset_db=self.match_db, start_frame=stop, frames=self.release_frames)

    @abstractmethod
    def open(self, outgoing: Sound, incoming: Sound, rate_hz: int) -> JoinSound:
        """Return what is heard from its beginning on; belongs to one thread.

        outgoing: what sounds before it, from `begin_frame` on. incoming: B at its gain, from where it enters.
        """

    def levelled(self, residual_db: float, rate_hz: int) -> Self:
        """Return the plan with B brought towards the level of A, which is raised by so much yet."""
        difference_db = self.terms.get("level_difference_db")
        match_db = 0.0 if difference_db is None else matched_db(difference_db + residual_db)
        # For seconds on end a limiter would be heard.
        headroom_db = self.terms.get("headroom_db")
        if headroom_db is not None:
            match_db = min(match_db, headroom_db)
        if abs(match_db) < LEAST_MATCH_DB:
            match_db = 0.0
        return self._with_match(match_db, rate_hz)

    def _with_match(self, match_db: float, rate_hz: int) -> Self:
        frames = round(abs(match_db) / RELEASE_DB_PER_S * rate_hz)
        return replace(self, match_db=match_db, release_frames=frames)

    def as_json(self) -> dict[str, object]:
        """Return its fields for the decision log; `read_join` gives the same plan again, exactly."""
        return {"kind": str(self.kind), **dataclasses.asdict(self)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaving:
    """What a join leads away from."""

    chunk: Chunk
    release: Release
    """What is left of the gain that it was entered with."""
    at_once: int | None = None
    """Leave from this frame of its song on; None: at its cut."""
    amid_join: bool = False
    """Whether the join into it is still heard."""


class JoinSource(Protocol):
    """Where the renderer has its joins from: planned from the audio, or read from a log."""

    settings: SoundSettings
    reach_frames: int
    """No join begins longer than this before A's cut, whatever comes after."""

    def plan(self, step: Step, leaving: Leaving) -> JoinPlan:
        """Return how what is left goes over into the step's chunk."""


JoinFields = dict[str, Any]
"""A plan in a log."""
