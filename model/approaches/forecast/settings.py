"""These settings say how approach `forecast` trains and what its presets mean; they import nothing heavy."""

from dataclasses import dataclass

from model.learning.settings import TrainSettings, check_preset, option


@dataclass(frozen=True, kw_only=True)
class ForecastPreset:
    """What a preset takes where the user says nothing."""

    epochs: int
    steps_per_epoch: int
    """Batches in an epoch: places in the songs are drawn anew for each, so that they are never used up."""
    learning_rate: float
    """Keras' own of RMSprop for the report's network, which says none."""


FORECAST_PRESETS = {
    "seed": ForecastPreset(epochs=30, steps_per_epoch=16, learning_rate=1e-3),
    "fast": ForecastPreset(epochs=8, steps_per_epoch=50, learning_rate=2e-3),
}


@dataclass(frozen=True, kw_only=True)
class ForecastSettings(TrainSettings):
    """What to train and how; None stands for what the preset takes."""

    evaluate_every: int = option(
        2, "Epochs from one measurement to the next; the last is always measured.", least=1
    )

    def __post_init__(self) -> None:
        check_preset("forecast", self.preset, FORECAST_PRESETS)
        super().__post_init__()

    @property
    def defaults(self) -> ForecastPreset:
        """What the preset takes where nothing else is said."""
        return FORECAST_PRESETS[self.preset]

    @property
    def chosen_epochs(self) -> int:
        """Epochs of `ForecastPreset.steps_per_epoch` batches."""
        return self.epochs or self.defaults.epochs

    @property
    def chosen_learning_rate(self) -> float:
        """The learning rate at the start."""
        return self.learning_rate or self.defaults.learning_rate
