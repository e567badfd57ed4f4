"""How a training of approach `tower` is asked for, and what its presets stand for; nothing heavy here."""

import math
from dataclasses import dataclass

from model.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class TowerPreset:
    """What a preset takes where the user says nothing."""

    epochs: int
    steps_per_epoch: int = 50
    """Batches in an epoch: seams are drawn anew for each, so that songs are never used up."""
    learning_rate: float = 2e-3
    tuning_rate: float = 5e-4
    """Where training begins from learned weights."""
    songs: int = 6
    """In a batch; the fewer, the more of the wrong candidates are of the same song."""
    seams_per_song: int = 40
    same_song_share: float = 0.5
    """Of the loss: how well a successor is found among its own song's chunks, besides among all."""


TOWER_PRESETS = {"fast": TowerPreset(epochs=10), "best": TowerPreset(epochs=28)}


@dataclass(frozen=True, kw_only=True)
class TowerSettings:
    """What to train and how; None stands for what the preset takes."""

    preset: str = "fast"
    epochs: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    validation_share: float = 0.2
    """Share of the songs that training never sees; 0 trains on all and measures on those."""
    evaluate_every: int = 2
    """Epochs from one measurement to the next; the last epoch is always measured."""
    pretrained: bool = False
    """Whether training goes on from learned weights."""

    def __post_init__(self) -> None:
        if self.preset not in TOWER_PRESETS:
            raise ModelError(
                f"there is no preset '{self.preset}' of approach tower; "
                f"take one of {', '.join(TOWER_PRESETS)}"
            )
        for name in ("epochs", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ModelError(f"{name} is {value}; give at least 1")
        if self.learning_rate is not None and not (
            math.isfinite(self.learning_rate) and self.learning_rate > 0
        ):
            raise ModelError(f"a learning rate of {self.learning_rate:g} teaches nothing; give one above 0")
        if not 0 <= self.validation_share < 1:
            raise ModelError(f"validation_share is {self.validation_share:g}; give at least 0 and below 1")
        if self.seed < 0:
            raise ModelError(f"the seed is {self.seed}; give 0 or more")

    @property
    def defaults(self) -> TowerPreset:
        """What the preset takes where nothing else is said."""
        return TOWER_PRESETS[self.preset]

    @property
    def chosen_epochs(self) -> int:
        """Epochs of `TowerPreset.steps_per_epoch` batches."""
        return self.epochs or self.defaults.epochs

    @property
    def chosen_learning_rate(self) -> float:
        """The learning rate after its rise, before its fall."""
        if self.learning_rate is not None:
            return self.learning_rate
        return self.defaults.tuning_rate if self.pretrained else self.defaults.learning_rate
