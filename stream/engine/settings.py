"""The engine's settings say what the stream is made of and how it sounds."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from model.base.errors import EndlosError
from stream.choosing.settings import PlannerSettings

ENGINE_RATES_HZ = (44_100, 48_000)
MAX_SCORER_THREADS = 256
MAX_PLAN_AHEAD = 1000


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What the stream is made of and how it sounds."""

    planner: PlannerSettings = field(default_factory=PlannerSettings)
    model: Path | None = None
    """Model folder; None takes the one that the package carries."""
    engine_rate_hz: int = 44_100
    fade_s: float = 1.5
    """The longest crossfade at a join; where and how long each fades comes from the audio."""
    target_lufs: float | None = -16.0
    """Songs are brought to this loudness, as far as their peaks allow; None leaves them as they are."""
    start_song: str | None = None
    """Name (path in the music folder) of the song to start with; None: chosen by strategy and seed."""
    plan_ahead: int = 3
    """Steps planned ahead of the playhead while live."""
    scorer_threads: int = 2
    simulate_slow_ms: float = 0.0
    """Each decision is made to take this much longer, to see the ladder at work."""

    def __post_init__(self) -> None:
        if self.engine_rate_hz not in ENGINE_RATES_HZ:
            raise EndlosError(f"the engine runs at 44100 or 48000 Hz, not at {self.engine_rate_hz}")
        if not 0.0 <= self.fade_s <= 20.0:
            raise EndlosError(f"fade_s is {self.fade_s}, expected 0 to 20 seconds")
        if self.target_lufs is not None and not -40.0 <= self.target_lufs <= 0.0:
            raise EndlosError(f"target_lufs is {self.target_lufs}, expected -40 to 0")
        if not 1 <= self.plan_ahead <= MAX_PLAN_AHEAD:
            raise EndlosError(f"plan_ahead is {self.plan_ahead}, expected 1 to {MAX_PLAN_AHEAD}")
        if not 1 <= self.scorer_threads <= MAX_SCORER_THREADS:
            raise EndlosError(f"scorer_threads is {self.scorer_threads}, expected 1 to {MAX_SCORER_THREADS}")
        if not (math.isfinite(self.simulate_slow_ms) and self.simulate_slow_ms >= 0.0):
            raise EndlosError(f"simulate_slow_ms is {self.simulate_slow_ms}, expected 0 or more milliseconds")
