"""These settings say what a run of the benchmark was asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.budgets import Budgets

Notice = Callable[[str], None]
"""Told what is being measured."""


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """What is measured, on what, against which budgets."""

    pool: Path
    model: Path | None = None
    """None: the one that endlos carries."""
    device: str | None = None
    """The sound card; None looks for PulseAudio and makes a silent one of its own."""
    quick: bool = False
    """Few repeats: for a look, not for a verdict."""
    budgets: Budgets = field(default_factory=Budgets)
    notice: Notice = lambda text: None

    def repeats(self, usual: int, quick: int) -> int:
        """Return how often to measure."""
        return quick if self.quick else usual
