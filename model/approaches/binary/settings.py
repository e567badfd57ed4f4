"""These settings say how approach `binary` trains and what its presets mean; they import nothing heavy."""

from dataclasses import dataclass

from model.base.errors import ModelError
from model.learning.settings import TrainSettings, check_counts, check_preset, option

OPTIMIZERS = ("rmsprop", "adam", "sgd")
"""The optimisers that the report compared; it found RMSprop best."""
SGD_LEARNING_RATE = 0.01
GRADIENTS = ("wedges", "keras")
"""What computes gradients: the wedge table of the report's network, on the CPU, or Keras on its backend."""


@dataclass(frozen=True, kw_only=True)
class BinaryPreset:
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
    gradients: tuple[str, ...]
    """Those of `GRADIENTS` that can be taken, the one that is taken first."""
    report_pairs: bool
    """Whether pairs are drawn once, as the report did; else anew in every epoch, and varied."""


PRESETS = {
    "seed": BinaryPreset(
        optimizer="rmsprop",
        learning_rate=None,
        falling_rate=False,
        batch_size=64,
        epochs=600,
        edge_samples=None,
        gradients=("wedges", "keras"),
        report_pairs=True,
    ),
    "fast": BinaryPreset(
        optimizer="adam",
        learning_rate=2e-3,
        falling_rate=True,
        batch_size=128,
        epochs=30,
        edge_samples=1260,
        gradients=("keras",),
        report_pairs=False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class BinarySettings(TrainSettings):
    """What to train and how; None stands for what the preset takes."""

    batch_size: int | None = option(None, "Pairs in a step.", least=1)
    optimizer: str | None = option(None, "What learns.", one_of=OPTIMIZERS)
    edge_samples: int | None = option(
        None,
        "What the model sees of each side, in samples at 1260 Hz.",
        least=2,
        unsaid="the shortest chunk",
    )
    gradients: str | None = option(
        None,
        "What computes gradients: wedges do it in a quarter of the time on a CPU (preset seed), "
        "keras wherever its backend runs.",
        one_of=GRADIENTS,
    )

    def __post_init__(self) -> None:
        check_preset("binary", self.preset, PRESETS)
        if self.optimizer is not None and self.optimizer not in OPTIMIZERS:
            raise ModelError(f"there is no optimizer '{self.optimizer}'; take one of {', '.join(OPTIMIZERS)}")
        if self.gradients is not None and self.gradients not in self.defaults.gradients:
            raise ModelError(
                f"preset {self.preset} has no gradients by '{self.gradients}'; "
                f"take {' or '.join(self.defaults.gradients)}"
            )
        check_counts(batch_size=self.batch_size)
        if self.edge_samples is not None and not self.edge_samples >= 2:
            raise ModelError(f"edge_samples is {self.edge_samples}; give at least 2")
        super().__post_init__()

    @property
    def defaults(self) -> BinaryPreset:
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
    def chosen_edge_samples(self) -> int | None:
        """Length of an edge; None for the shortest chunk of the training songs."""
        return self.edge_samples or self.defaults.edge_samples

    @property
    def chosen_gradients(self) -> str:
        """One of `GRADIENTS`."""
        return self.gradients or self.defaults.gradients[0]

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
