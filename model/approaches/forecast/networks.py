"""The networks foretell how an end goes on, the report's in samples, a small one in spectra."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from model.base.arrays import FloatArray
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES

KNOWN_SAMPLES = 880
FORETOLD_SAMPLES = 20
"""The report's network gives 20; it plotted 18, because it stopped there."""


@dataclass(frozen=True, kw_only=True)
class ForecastShape:
    """Sizes of the small network."""

    channels: int = 64
    lstm_units: int = 96
    rank: int = 32
    """Values of a foretold frame, before they are spread over its bins."""
    foretold_frames: int = 16
    recent_frames: int = 8
    """A forecast is a mix of all frames, the same for all bins, and a change that the LSTM tells: learning
    begins with the mean of so many frames, what sounds now."""
    dropout: float = 0.2
    frame_values: int = 32
    hidden_units: int = 64
    values: int = 64
    """Of the vector that forecast and head are compared by."""
    temperature: float = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastNetworks:
    """Views of the same weights."""

    ends: Any
    """Tails -> what they are compared by, `(n, values)`."""
    starts: Any
    """Heads -> `(n, values)`."""
    forecast: Any
    """Tails -> the forecast itself."""
    truth: Any
    """Heads -> what a forecast is to be."""
    learned: Any
    """What is trained."""


def build_sample_networks() -> ForecastNetworks:
    """Return the report's network: tails `(n, KNOWN_SAMPLES, 1)` -> the next `FORETOLD_SAMPLES` samples."""
    tail = keras.Input((KNOWN_SAMPLES, 1), name="tail")
    seen = layers.MaxPooling1D(2, strides=2)(layers.Conv1D(1024, 2)(tail))
    state = layers.LSTM(100, activation="sigmoid")(seen)
    forecast = keras.Model(tail, layers.Dense(FORETOLD_SAMPLES)(state), name="forecast")
    head = keras.Input((KNOWN_SAMPLES, 1), name="head")
    starts = keras.Model(head, ops.reshape(head[:, :FORETOLD_SAMPLES], (-1, FORETOLD_SAMPLES)), name="starts")
    return ForecastNetworks(ends=forecast, starts=starts, forecast=forecast, truth=starts, learned=forecast)


@keras.saving.register_keras_serializable("endlos")
class Sharpness(layers.Layer):  # type: ignore[misc]
    """Scales vectors by one learned positive number."""

    def __init__(self, start: float, **options: Any) -> None:
        super().__init__(**options)
        self.start = start

    def build(self, shape: Any) -> None:
        """Make the scale."""
        initial = keras.initializers.Constant(float(np.log(self.start)))
        self.logarithm = self.add_weight(name="logarithm", shape=(), initializer=initial)

    def call(self, x: Any) -> Any:
        """Return the scaled vectors."""
        return x * ops.exp(self.logarithm)


def build_spectrum_networks(
    mean: FloatArray, deviation: FloatArray, shape: ForecastShape | None = None
) -> ForecastNetworks:
    """Return the small network: tails in dB -> standardised frames of what follows, and vectors of them.

    mean, deviation: `(SPECTRUM_BINS,)` dB of the training songs. `learned` gives for tails and heads `(n, n)`
    products of their vectors and, as a last column, the mean squared error of each forecast.
    """
    sizes = shape or ForecastShape()
    side = (SPECTRUM_FRAMES, SPECTRUM_BINS)
    tail, head = keras.Input(side, name="tail"), keras.Input(side, name="head")
    drop = layers.Dropout(sizes.dropout)
    # Constants of the graph: those of a Normalization layer become inputs of what tf2onnx makes.
    scale = 1 / np.maximum(deviation, 1.0)
    frames = (tail - mean) * scale
    seen = layers.Conv1D(sizes.channels, 4, strides=2, padding="same", activation="relu")(frames)
    seen = layers.Conv1D(sizes.channels, 3, padding="same", activation="relu")(seen)
    state = layers.LSTM(sizes.lstm_units, name="lstm")(drop(layers.MaxPooling1D(2)(seen)))
    change = layers.Dense(sizes.foretold_frames * sizes.rank)(drop(state))
    change = layers.Dense(SPECTRUM_BINS, kernel_initializer="zeros")(
        ops.reshape(change, (-1, sizes.foretold_frames, sizes.rank))
    )
    along = layers.Dense(sizes.foretold_frames, use_bias=False, kernel_initializer=_recent(sizes))
    forecast = ops.transpose(along(ops.transpose(frames, (0, 2, 1))), (0, 2, 1)) + change
    truth = ((head - mean) * scale)[:, : sizes.foretold_frames]

    of_frame = layers.Dense(sizes.frame_values)
    linear, curved = layers.Dense(sizes.values), layers.Dense(sizes.values)
    hidden = layers.Dense(sizes.hidden_units, activation="relu")

    def compared(by_frame: Any) -> Any:
        flat = ops.reshape(of_frame(by_frame), (-1, sizes.foretold_frames * sizes.frame_values))
        both = linear(flat) + curved(drop(hidden(flat)))
        return both * ops.rsqrt(ops.sum(both * both, axis=-1, keepdims=True) + 1e-6)

    end, start = Sharpness(sizes.temperature)(compared(forecast)), compared(truth)
    missed = ops.mean(ops.square(forecast - truth), axis=(1, 2))
    products = ops.matmul(end, ops.transpose(start))
    return ForecastNetworks(
        ends=keras.Model(tail, end, name="ends"),
        starts=keras.Model(head, start, name="starts"),
        forecast=keras.Model(tail, forecast, name="forecast"),
        truth=keras.Model(head, truth, name="truth"),
        learned=keras.Model(
            [tail, head], ops.concatenate([products, missed[:, None]], axis=1), name="learned"
        ),
    )


def _recent(sizes: ForecastShape) -> Callable[..., Any]:
    """Return an initialiser `(SPECTRUM_FRAMES, foretold_frames)`: the mean of the last frames."""

    def mix(shape: tuple[int, ...], dtype: Any = None) -> Any:
        weights = np.zeros(shape)
        weights[-sizes.recent_frames :] = 1 / sizes.recent_frames
        return ops.convert_to_tensor(weights, dtype=dtype or "float32")

    return mix
