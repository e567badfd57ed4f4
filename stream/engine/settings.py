"""The engine's settings say what the stream is made of and how it sounds."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from model.base.errors import EndlosError
from stream.choosing.journey.steering import MOST_WITHIN_S
from stream.choosing.settings import PlannerSettings
from stream.joins.settings import SoundSettings

MAX_SCORER_THREADS = 256
MAX_PLAN_AHEAD = 1000
MAX_PLAN_AHEAD_S = 600.0


@dataclass(frozen=True, kw_only=True)
class EngineSettings(SoundSettings):
    """What the stream is made of, and by `SoundSettings` how it sounds."""

    planner: PlannerSettings = field(default_factory=PlannerSettings)
    model: Path | None = None
    """Model folder; None takes the one that the package carries."""
    start_song: str | None = None
    """Name (path in the music folder) of the song to start with; None: chosen by strategy and seed."""
    towards: str | None = None
    """Name of a song that is to be reached from there; None: wherever the stream goes."""
    within_s: float | None = None
    """It is to be reached within so much music; None: within a few phrases."""
    plan_ahead: int = 3
    """Steps planned ahead of the playhead while live."""
    plan_ahead_s: float = 30.0
    """The same in seconds: as much as both ask for."""
    scorer_threads: int = 2
    simulate_slow_ms: float = 0.0
    """Each decision is made to take this much longer, to see the ladder at work."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.within_s is not None and (self.towards is None or not 0.0 <= self.within_s <= MOST_WITHIN_S):
            raise EndlosError(
                f"within_s is {self.within_s}; give 0 to {MOST_WITHIN_S:g} s, and the song to reach by then"
            )
        if not 1 <= self.plan_ahead <= MAX_PLAN_AHEAD:
            raise EndlosError(f"plan_ahead is {self.plan_ahead}, expected 1 to {MAX_PLAN_AHEAD}")
        if not 0.0 <= self.plan_ahead_s <= MAX_PLAN_AHEAD_S:
            raise EndlosError(
                f"plan_ahead_s is {self.plan_ahead_s}, expected 0 to {MAX_PLAN_AHEAD_S:g} seconds"
            )
        if not 1 <= self.scorer_threads <= MAX_SCORER_THREADS:
            raise EndlosError(f"scorer_threads is {self.scorer_threads}, expected 1 to {MAX_SCORER_THREADS}")
        if not (math.isfinite(self.simulate_slow_ms) and self.simulate_slow_ms >= 0.0):
            raise EndlosError(f"simulate_slow_ms is {self.simulate_slow_ms}, expected 0 or more milliseconds")
