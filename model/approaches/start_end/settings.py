"""These settings say how approach `start-end` trains and what its presets mean; they import nothing heavy."""

from dataclasses import dataclass

from model.base.errors import ModelError
from model.learning.settings import ClassSettings, check_preset, option


@dataclass(frozen=True, kw_only=True)
class StartEndPreset:
    """What a preset takes where the user says nothing."""

    epochs: int
    learning_rate: float
    classes: int | None
    """None: a class for each transition of the reference."""
    edge_samples: int
    """What is seen of each side; of preset fast, which sees spectra, what the index falls back on."""
    batch_size: int = 64
    steps_per_epoch: int = 40
    """Batches in an epoch where seams are drawn anew for each."""
    songs: int = 12
    """Songs in such a batch."""
    seams_per_song: int = 16


START_END_PRESETS = {
    "seed": StartEndPreset(epochs=60, learning_rate=1e-3, classes=None, edge_samples=2000),
    "fast": StartEndPreset(epochs=15, learning_rate=2e-3, classes=32, edge_samples=441),
}


@dataclass(frozen=True, kw_only=True)
class StartEndSettings(ClassSettings):
    """What to train and how; None stands for what the preset takes."""

    evaluate_every: int = option(
        5, "Epochs from one measurement to the next; the last is always measured.", least=1
    )
    edge_samples: int | None = option(
        None, "What the model sees of each side, in samples at 1260 Hz.", least=2
    )

    def __post_init__(self) -> None:
        check_preset("start-end", self.preset, START_END_PRESETS)
        if self.edge_samples is not None and self.preset != "seed":
            raise ModelError("only preset seed sees edges; leave out --edge-samples, or take --preset seed")
        if self.edge_samples is not None and not self.edge_samples >= 2:
            raise ModelError(f"edge_samples is {self.edge_samples}; give at least 2")
        super().__post_init__()

    @property
    def defaults(self) -> StartEndPreset:
        """What the preset takes where nothing else is said."""
        return START_END_PRESETS[self.preset]

    @property
    def chosen_classes(self) -> int | None:
        """Groups of transitions; None where each transition is a class of its own."""
        return self.classes or self.defaults.classes

    @property
    def chosen_epochs(self) -> int:
        """Passes over the transitions, or `StartEndPreset.steps_per_epoch` batches of drawn seams."""
        return self.epochs or self.defaults.epochs

    @property
    def chosen_edge_samples(self) -> int:
        """Length of an edge in samples."""
        return self.edge_samples or self.defaults.edge_samples

    @property
    def chosen_learning_rate(self) -> float:
        """The learning rate at the start."""
        return self.learning_rate or self.defaults.learning_rate
