"""This helper makes networks of the report's layers in other sizes, with weights that show differences."""

import math
from typing import Any

import keras
import numpy as np
from keras import layers


def network_of(edge: int, filters: int, units: int, dense: int, seed: int) -> Any:
    """The report's layers in other sizes, with random weights and biases, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((2 * edge, 1), name="pair"),
            layers.Conv1D(filters, 2),
            layers.MaxPooling1D(2, strides=2),
            layers.LSTM(units, return_sequences=True),
            layers.Dense(dense),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return shaken(network, seed)


def shaken(network: Any, seed: int, amount: float = 0.3) -> Any:
    """Move all weights: a network that was just built has biases of zero."""
    rng = np.random.default_rng(seed)
    network.set_weights(
        [
            weight + rng.normal(0, amount, weight.shape) / math.sqrt(len(weight))
            for weight in network.get_weights()
        ]
    )
    return network
