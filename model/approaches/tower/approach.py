"""Approach `tower` is two networks that say where an end and a start lie; the nearest follow."""

from model.approaches.tower.settings import TowerSettings
from model.learning.approach import Approach, Preset, Trainer


def _trainer() -> Trainer:
    from model.approaches.tower.training import train_towers

    return train_towers


TOWER = Approach(
    name="tower",
    summary="one network for ends, one for starts (what plays best)",
    settings=TowerSettings,
    presets={
        "fast": Preset(summary="minutes on two cores", features="spectra"),
        "best": Preset(summary="half an hour", features="spectra"),
    },
    scoring="vectors",
    trainer=_trainer,
)
