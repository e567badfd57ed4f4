"""Approach `start-end` is two classifiers, one of ends and one of starts (the report's fourth)."""

from model.approaches.start_end.settings import StartEndSettings
from model.learning.approach import Approach, Preset, Trainer


def _trainer() -> Trainer:
    from model.approaches.start_end.training import train_start_end

    return train_start_end


START_END = Approach(
    name="start-end",
    summary="two classifiers, of ends and of starts; what is of one class follows",
    settings=StartEndSettings,
    presets={
        "seed": Preset(summary="a class for each transition, as the report has it", features="edges"),
        "fast": Preset(summary="groups of transitions, minutes on two cores", features="spectra"),
    },
    scoring="vectors",
    trainer=_trainer,
)
