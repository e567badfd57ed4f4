"""Approach `categorical` is one network that sorts transitions into the classes of reference songs."""

from model.approaches.categorical.settings import CategoricalSettings
from model.learning.approach import Approach, Preset, Trainer


def _trainer() -> Trainer:
    from model.approaches.categorical.training import train_categorical

    return train_categorical


CATEGORICAL = Approach(
    name="categorical",
    summary="one network that sorts transitions into those of reference songs, for --walk",
    settings=CategoricalSettings,
    presets={
        "seed": Preset(summary="the report's network, a class for each transition", features="edges"),
        "fast": Preset(summary="minutes, groups of similar transitions", features="spectra"),
    },
    scoring="buckets",
    trainer=_trainer,
)
