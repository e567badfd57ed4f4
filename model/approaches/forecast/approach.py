"""Approach `forecast` is a network that foretells what follows an end; the most similar start follows."""

from model.approaches.forecast.settings import ForecastSettings
from model.learning.approach import Approach, Preset, Trainer


def _trainer() -> Trainer:
    from model.approaches.forecast.training import train_forecast

    return train_forecast


FORECAST = Approach(
    name="forecast",
    summary="a network that foretells how an end goes on, held against every start",
    settings=ForecastSettings,
    presets={
        "seed": Preset(summary="the report's network to the letter: the next 20 samples", features="edges"),
        "fast": Preset(summary="a spectrum of the next 0.4 s, minutes on one core", features="spectra"),
    },
    scoring="vectors",
    trainer=_trainer,
)
