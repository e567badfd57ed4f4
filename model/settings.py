"""How a training is asked for, and what the presets stand for; nothing heavy is imported here."""

import math
from dataclasses import dataclass

from model.errors import ModelError

OPTIMIZERS = ("rmsprop", "adam", "sgd")
"""Those that the report compared; it found RMSprop best."""
SGD_LEARNING_RATE = 0.01


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a preset takes where the user says nothing."""

    optimizer: str
    learning_rate: float | None
    """None: the default of Keras for the optimiser."""
    falling_rate: bool
    """Whether the learning rate falls along a cosine to a hundredth of itself."""
    batch_size: int
    epochs: int
    edge_samples: int | None
    """None: the shortest chunk of the training songs, as in the report."""
    report_pairs: bool
    """Whether pairs are drawn once, as the report did; else anew in every epoch, and varied."""


PRESETS = {
    "seed": Preset(
        optimizer="rmsprop",
        learning_rate=None,
        falling_rate=False,
        batch_size=64,
        epochs=600,
        edge_samples=None,
        report_pairs=True,
    ),
    "fast": Preset(
        optimizer="adam",
        learning_rate=2e-3,
        falling_rate=True,
        batch_size=128,
        epochs=30,
        edge_samples=1260,
        report_pairs=False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What to train and how; None stands for what the preset takes."""

    approach: str = "binary"
    preset: str = "fast"
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    seed: int = 0
    validation_share: float = 0.2
    """Share of the songs that training never sees; 0 trains on all and measures on none."""
    edge_samples: int | None = None
    evaluate_every: int = 1
    """Epochs from one measurement to the next; the last epoch is always measured."""

    def __post_init__(self) -> None:
        if self.approach != "binary":
            raise ModelError(f"approach '{self.approach}' is not there; take binary")
        if self.preset not in PRESETS:
            raise ModelError(
                f"there is no preset '{self.preset}' of approach binary; take one of {', '.join(PRESETS)}"
            )
        if self.optimizer is not None and self.optimizer not in OPTIMIZERS:
            raise ModelError(f"there is no optimizer '{self.optimizer}'; take one of {', '.join(OPTIMIZERS)}")
        for name in ("epochs", "batch_size", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ModelError(f"{name} is {value}; give at least 1")
        if self.edge_samples is not None and self.edge_samples < 2:
            raise ModelError(f"edge_samples is {self.edge_samples}; give at least 2")
        if self.learning_rate is not None and not (
            math.isfinite(self.learning_rate) and self.learning_rate > 0
        ):
            raise ModelError(f"a learning rate of {self.learning_rate:g} teaches nothing; give one above 0")
        if not 0 <= self.validation_share < 1:
            raise ModelError(f"validation_share is {self.validation_share:g}; give at least 0 and below 1")
        if self.seed < 0:
            raise ModelError(f"the seed is {self.seed}; give 0 or more")

    @property
    def defaults(self) -> Preset:
        """What the preset takes where nothing else is said."""
        return PRESETS[self.preset]

    @property
    def chosen_epochs(self) -> int:
        """Passes over the pairs."""
        return self.epochs or self.defaults.epochs

    @property
    def chosen_batch_size(self) -> int:
        """Pairs in each step."""
        return self.batch_size or self.defaults.batch_size

    @property
    def chosen_optimizer(self) -> str:
        """One of `OPTIMIZERS`."""
        return self.optimizer or self.defaults.optimizer

    @property
    def chosen_learning_rate(self) -> float | None:
        """The learning rate at the start; None for what Keras takes."""
        if self.learning_rate is not None:
            return self.learning_rate
        if self.chosen_optimizer == "sgd":
            return SGD_LEARNING_RATE
        # The preset's rate was found with the preset's optimiser, and says nothing about another.
        same = self.chosen_optimizer == self.defaults.optimizer
        return self.defaults.learning_rate if same else None
