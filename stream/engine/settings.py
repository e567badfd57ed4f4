"""The engine's settings say what the stream is made of and how it sounds."""

from dataclasses import dataclass, field
from pathlib import Path

from model.base.errors import EndlosError
from stream.choosing.settings import PlannerSettings
from stream.joins.settings import SoundSettings


@dataclass(frozen=True, kw_only=True)
class EngineSettings(SoundSettings):
    """What the stream is made of, and by `SoundSettings` how it sounds."""

    planner: PlannerSettings = field(default_factory=PlannerSettings)
    model: Path | None = None
    """Model folder; None takes the one that the package carries."""
    start_song: str | None = None
    """Name (path in the music folder) of the song to start with; None: chosen by strategy and seed."""
    plan_ahead: int = 3
    """Steps planned ahead of the playhead while live."""
    scorer_threads: int = 2
    simulate_slow_ms: float = 0.0
    """Each decision is made to take this much longer, to see the ladder at work."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plan_ahead < 1:
            raise EndlosError(f"plan_ahead is {self.plan_ahead}, expected at least 1")
