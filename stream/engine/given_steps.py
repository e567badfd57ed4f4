"""Given steps are known before they are played, as those of a log and those of a composition are."""

from collections import deque
from collections.abc import Iterable, Sequence

from model.base.errors import EndlosError
from stream.choosing.generation import Chunk
from stream.choosing.journey.steering import Steering
from stream.choosing.step import Step
from stream.joins.join_plan import JoinPlan, JoinSource, Leaving
from stream.joins.kinds.splice import Splice
from stream.joins.settings import SoundSettings


class KnownJoins:
    """Joins that were planned before, as the renderer takes them (`JoinSource`)."""

    def __init__(self, settings: SoundSettings, reach_frames: int) -> None:
        self.settings = settings
        self.reach_frames = reach_frames
        self.plans: dict[Step, JoinPlan | None] = {}
        """Of each step; None: it has none, and goes on naturally."""

    def plan(self, step: Step, leaving: Leaving) -> JoinPlan:
        """Return the step's join; `EndlosError` where a step that needs one has none."""
        plan = self.plans[step]
        if plan is None:
            raise EndlosError("a decision of the log lacks its join; replay it with the endlos that wrote it")
        return plan


class GivenSteps:
    """A source of steps and of joins for the renderer; after the last step its song goes on.

    Belongs to the renderer's thread.
    """

    def __init__(self, steps: Iterable[Step], joins: JoinSource) -> None:
        self._steps = deque(steps)
        self._joins = joins
        self._end: Step | None = None
        self.settings = joins.settings
        self.reach_frames = joins.reach_frames

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Return the next step, or one that never comes about (`StepSource`)."""
        if self._steps:
            return self._steps.popleft()
        assert after is not None, "there is one step at least"
        self._end = Step(after=after, chunk=after, natural=False, rung="end")
        return self._end

    def plan(self, step: Step, leaving: Leaving) -> JoinPlan:
        """Return the step's join (`JoinSource`)."""
        if step is self._end:
            return _NEVER
        return self._joins.plan(step, leaving)

    def leaves(self) -> bool:
        """Whatever comes next is ready."""
        return True

    def peek(self) -> Step | None:
        """Nothing is told ahead."""
        return None

    def planned(self) -> Sequence[Step]:
        """Nothing is told ahead."""
        return ()

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Raise `EndlosError`: no other song may take the place of one that cannot be read."""
        song = next(song for song in at.generation.pool.songs if song.audio_hash == audio_hash)
        raise EndlosError(
            f"{song.path} cannot be read as it was when its chunks were chosen; put it back as it was"
        )

    def steer(self, steering: Steering) -> None:
        """Nothing is chosen any more."""

    def close(self) -> None:
        """Nothing to end."""


_NEVER = Splice(
    begin_frame=2**62, before_frames=0, after_frames=0, leave_frame=2**62, enter_frame=0, correlation=0.0
)
