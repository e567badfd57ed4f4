"""Approach `categorical` has two networks, the report's to the letter and a small one that sees spectra.

Both give logits, and no sigmoid: categorical cross-entropy of sigmoid outputs is softmax of their logits on
the TensorFlow backend of Keras, on which the report ran, and something else on the others. Trained on logits
it is the report's loss everywhere, and chunks are compared by shares of their classes.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from model.base.arrays import FloatArray
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES


@dataclass(frozen=True, kw_only=True)
class ClassNetworkShape:
    """Sizes of the network `fast`."""

    filters: int = 64
    lstm_units: int = 64
    hidden_units: int = 96
    dropout: float = 0.2


def seed_classes(edge_samples: int, classes: int) -> Any:
    """Return the report's network (section 2.4), layer by layer, up to its output's sigmoid.

    It sees [tail | head] `(batch, 2 * edge_samples, 1)` and gives logits `(batch, classes)`.
    """
    return keras.Sequential(
        [
            keras.Input((2 * edge_samples, 1), name="transition"),
            layers.Conv1D(10, 1),
            layers.LSTM(20, return_sequences=True),
            layers.Dense(100),
            layers.Flatten(),
            layers.Dense(classes),
        ],
        name="seed",
    )


def fast_classes(
    classes: int, mean: FloatArray, deviation: FloatArray, shape: ClassNetworkShape | None = None
) -> Any:
    """Return the small network: spectra of [tail | head] -> Conv1D -> pool -> LSTM and mean -> logits.

    It sees `(batch, 2 * SPECTRUM_FRAMES, SPECTRUM_BINS)` in dB. mean, deviation: `(SPECTRUM_BINS,)` each,
    what bins are standardised by. Both sides go through the same filters; their means stand side by side with
    the state in which the LSTM has read from the beginning of the tail to the end of the head.
    """
    sizes = shape or ClassNetworkShape()
    seen = keras.Input((2 * SPECTRUM_FRAMES, SPECTRUM_BINS), name="transition")
    scale = layers.Rescaling(
        (1.0 / np.maximum(deviation, 1.0)).tolist(),
        (-mean / np.maximum(deviation, 1.0)).tolist(),
        name="standardise",
    )
    filtered = layers.Conv1D(sizes.filters, 4, strides=4, activation="relu", name="filters")(scale(seen))
    state = layers.LSTM(sizes.lstm_units, name="lstm")(layers.SpatialDropout1D(sizes.dropout)(filtered))
    half = SPECTRUM_FRAMES // 4
    means = [layers.GlobalAveragePooling1D()(side) for side in (filtered[:, :half], filtered[:, half:])]
    joined = layers.Dropout(sizes.dropout)(layers.Concatenate()([*means, state]))
    hidden = layers.Dense(sizes.hidden_units, activation="relu")(joined)
    return keras.Model(seen, layers.Dense(classes, name="logits")(hidden), name="fast")
