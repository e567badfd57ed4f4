"""A situation holds what is known when it is chosen what follows, from what plays to the deadline."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from stream.choosing.generation import Chunk
from stream.choosing.history import Course
from stream.choosing.journey.leaning import Pull
from stream.choosing.journey.travel import Onward
from stream.choosing.repeats import Entries


@dataclass(frozen=True, kw_only=True, eq=False)
class Situation:
    """How things stand for one choice; rows are those of the current generation."""

    reference: Chunk
    """The chunk that is played."""
    row: int
    """Its row."""
    natural: int
    """The row that follows in its song; `NO_SUCCESSOR` where there is none, or it may not be played."""
    here: Entries
    """Where a phrase may begin."""
    history: Course
    """What was played, as if all that is planned had been."""
    first_row: int
    """Where the phrase that is played began."""
    onward: Onward
    """Where a change of song may lead."""
    exits: Sequence[int]
    """Rows after which it may be left, from `row` on; never empty."""
    pull: Pull | None = None
    """What steering speaks for; None where it speaks for nothing."""
    aims: bool = False
    """Whether a song is to be reached."""
    departs: bool = False
    """Whether it is time to go to another song on the way there."""
    asked: bool = False
    """Whether another song was asked for."""
    deadline_s: float | None = None
    """When the choice must be made, by the monotonic clock; None where there is no hurry."""

    @property
    def must_leave(self) -> bool:
        """Whether the phrase may be left now, so that the join cannot be chosen later."""
        return self.row >= self.exits[0]

    def left_s(self) -> float | None:
        """Return how much time there is still; None where there is no hurry."""
        return None if self.deadline_s is None else self.deadline_s - time.monotonic()
