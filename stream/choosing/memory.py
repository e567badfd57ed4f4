"""The memory of a planner is what it knows after a step, so that another planner goes on as it would have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import Course
from stream.choosing.step import Step


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedExit:
    """How the phrase that is played ends: leave after a chunk, for another."""

    exit_row: int
    step: Step
    """The join, but for the chunk that it leaves."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannerMemory:
    """What a planner knows once it has planned to a chunk; nothing of it is changed any more."""

    chunk: Chunk | None
    """Where it stands; None where the pool no longer holds that."""
    generation: Generation
    """Of the rows in here; the chunk may be of an earlier one."""
    history: Course
    """What was played, that chunk included."""
    draws: Mapping[str, Any]
    """The state of its random numbers, as NumPy has it."""
    leaving: PlannedExit | None
    """How the phrase ends, where that is chosen."""
    asked_at: int | None
    """How many phrases had ended when it was first looked for the song that is asked for."""
