"""These settings say how approach `categorical` trains, and what its presets mean; nothing heavy is here."""

from dataclasses import dataclass

from model.learning.settings import ClassSettings, check_preset


@dataclass(frozen=True, kw_only=True)
class CategoricalPreset:
    """What a preset takes where the user says nothing."""

    epochs: int
    learning_rate: float | None
    """None: Keras' own for RMSprop."""
    classes: int | None
    """None: each transition of the reference songs is a class of its own."""


CATEGORICAL_PRESETS = {
    "seed": CategoricalPreset(epochs=60, learning_rate=None, classes=None),
    "fast": CategoricalPreset(epochs=8, learning_rate=2e-3, classes=32),
}


@dataclass(frozen=True, kw_only=True)
class CategoricalSettings(ClassSettings):
    """What to train and how; None stands for what the preset takes."""

    def __post_init__(self) -> None:
        check_preset("categorical", self.preset, CATEGORICAL_PRESETS)
        super().__post_init__()

    @property
    def defaults(self) -> CategoricalPreset:
        """What the preset takes where nothing else is said."""
        return CATEGORICAL_PRESETS[self.preset]

    @property
    def chosen_epochs(self) -> int:
        """Passes over the transitions, or over as many as are drawn for one."""
        return self.epochs or self.defaults.epochs

    @property
    def chosen_classes(self) -> int | None:
        """Groups of transitions; None where each is a class of its own."""
        return self.classes or self.defaults.classes

    @property
    def chosen_learning_rate(self) -> float | None:
        """The learning rate at the start; None for what Keras takes."""
        return self.learning_rate or self.defaults.learning_rate
