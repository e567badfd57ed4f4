"""Approach `binary` is one network that sees both sides of a seam and says whether B follows A."""

from model.approaches.binary.settings import BinarySettings
from model.learning.approach import Approach, Preset, Trainer


def _trainer() -> Trainer:
    from model.approaches.binary.training import train_binary

    return train_binary


BINARY = Approach(
    name="binary",
    summary="one network that sees both sides, and says whether this follows that",
    settings=BinarySettings,
    presets={
        "seed": Preset(summary="the report's network to the letter", features="edges"),
        "fast": Preset(summary="a small one in its manner, minutes on two cores", features="edges"),
    },
    scoring="pairs",
    trainer=_trainer,
)
