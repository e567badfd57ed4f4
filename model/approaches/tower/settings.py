"""These settings say how approach `tower` trains and what its presets mean; they import nothing heavy."""

from dataclasses import dataclass

from model.learning.settings import TrainSettings, check_preset, option


@dataclass(frozen=True, kw_only=True)
class TowerPreset:
    """What a preset takes where the user says nothing."""

    epochs: int
    steps_per_epoch: int = 50
    """Batches in an epoch: seams are drawn anew for each, so that songs are never used up."""
    learning_rate: float = 2e-3
    tuning_rate: float = 5e-4
    """Learning rate where training begins from learned weights."""
    songs: int = 6
    """Songs in a batch; the fewer, the more of the wrong candidates are of the same song."""
    seams_per_song: int = 40
    same_song_share: float = 0.5
    """Share of the loss that asks among the song's own chunks; the rest asks among all."""


TOWER_PRESETS = {"fast": TowerPreset(epochs=10), "best": TowerPreset(epochs=28)}


@dataclass(frozen=True, kw_only=True)
class TowerSettings(TrainSettings):
    """What to train and how; None stands for what the preset takes."""

    evaluate_every: int = option(
        2, "Epochs from one measurement to the next; the last is always measured.", least=1
    )
    pretrained: bool = False
    """Whether training goes on from learned weights."""

    def __post_init__(self) -> None:
        check_preset("tower", self.preset, TOWER_PRESETS)
        super().__post_init__()

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
