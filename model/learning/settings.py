"""These settings say what every training is asked for; they import nothing heavy."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from model.base.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What to train and how; None stands for what the preset takes."""

    preset: str = "fast"
    epochs: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    validation_share: float = 0.2
    """Share of the songs that training never sees; 0 trains on all."""
    evaluate_every: int = 1
    """Epochs from one measurement to the next; the last epoch is always measured."""

    def __post_init__(self) -> None:
        check_counts(epochs=self.epochs, evaluate_every=self.evaluate_every)
        if self.learning_rate is not None and not (
            math.isfinite(self.learning_rate) and self.learning_rate > 0
        ):
            raise ModelError(f"a learning rate of {self.learning_rate:g} teaches nothing; give one above 0")
        if not 0 <= self.validation_share < 1:
            raise ModelError(f"validation_share is {self.validation_share:g}; give at least 0 and below 1")
        if not self.seed >= 0:
            raise ModelError(f"the seed is {self.seed}; give 0 or more")


def check_counts(**counts: int | None) -> None:
    """Raise `ModelError` for a count that is given and below 1."""
    for name, value in counts.items():
        if value is not None and not value >= 1:
            raise ModelError(f"{name} is {value}; give at least 1")


def check_preset(approach: str, preset: str, presets: Collection[str]) -> None:
    """Raise `ModelError` when the approach has no such preset."""
    if preset not in presets:
        raise ModelError(
            f"there is no preset '{preset}' of approach {approach}; take one of {', '.join(presets)}"
        )
