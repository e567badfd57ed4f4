"""These settings say which model a scorer is opened with, and how it is run."""

import math
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import EndlosError


@dataclass(frozen=True, kw_only=True)
class ScoringSettings:
    """How candidates are scored."""

    model: Path | None
    """Model folder; None scores nothing."""
    threads: int = 2
    precomputed: bool = True
    """Whether scores that `endlos precompute` left in the pool are used."""
    guarded: bool = False
    """Live: a score that hangs must not end the planning."""
    simulate_slow_ms: float = 0.0
    """Each decision is made to take this much longer, for tests and benchmarks."""

    def __post_init__(self) -> None:
        if not self.threads >= 1:
            raise EndlosError(f"{self.threads} threads score nothing; give 1 or more")
        if not (math.isfinite(self.simulate_slow_ms) and self.simulate_slow_ms >= 0):
            raise EndlosError(
                f"decisions cannot be {self.simulate_slow_ms:g} ms slower; give a number of 0 or more"
            )
