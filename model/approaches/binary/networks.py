"""Approach `binary` has two networks, the report's to the letter and a small one that generalises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from model.base.errors import ModelError
from model.features.edges import EDGE_RATE_HZ

MIN_FAST_EDGE_SAMPLES = 64
"""Below this the filters of `fast` say nothing about pitch."""


@dataclass(frozen=True, kw_only=True)
class FastShape:
    """Sizes of the network `fast`."""

    filter_samples: int = 256
    """Length of a filter; shorter when the edge is: half of it at most."""
    bands: int = 48
    """Filters a semitone apart, upwards from `lowest_hz`."""
    lowest_hz: float = 40.0
    embedding: int = 32
    lstm_units: int = 32
    dense_units: int = 32


def build_network(preset: str, edge_samples: int) -> Any:
    """Return the Keras model of a preset: [tail | head] `(batch, 2 * edge_samples, 1)` -> score `(batch, 1)`.

    Raises `ModelError` for an unknown preset, or an edge that is too short for it.
    """
    builders: dict[str, Callable[[int], Any]] = {"seed": seed_network, "fast": fast_network}
    if preset not in builders:
        raise ModelError(
            f"there is no preset '{preset}' of approach binary; take one of {', '.join(builders)}"
        )
    return builders[preset](edge_samples)


def seed_network(edge_samples: int) -> Any:
    """Return the report's network (section 2.2, figure 24), layer by layer."""
    if edge_samples < 2:
        raise ModelError(f"an edge of {edge_samples} samples is too short; give at least 2")
    return keras.Sequential(
        [
            keras.Input((2 * edge_samples, 1), name="pair"),
            layers.Conv1D(1024, 2),
            layers.MaxPooling1D(2, strides=2),
            layers.LSTM(256, return_sequences=True),
            layers.Dense(256),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="seed",
    )


def fast_network(edge_samples: int, shape: FastShape | None = None) -> Any:
    """Return the small network: Conv1D as a semitone filter bank -> pool -> LSTM towards the seam -> score.

    The filters are not learned: a few thousand pairs are too few to find pitch in the raw waveform (learned
    filters fit the training songs and do worse on others). Tail and head go through the same filters, apart,
    so that none spans the seam, and the LSTM reads both at once from far off to the seam, as it is about
    how alike they are. About 25,000 learned parameters, whatever the edge.
    """
    sizes = shape or FastShape()
    if edge_samples < MIN_FAST_EDGE_SAMPLES:
        raise ModelError(
            f"preset fast needs edges of at least {MIN_FAST_EDGE_SAMPLES} samples, not {edge_samples}"
        )
    length = min(sizes.filter_samples, edge_samples // 2)
    pair = keras.Input((2 * edge_samples, 1), name="pair")
    # The level of the pair as a whole says nothing: songs are levelled when they are played.
    level = ops.sqrt(ops.mean(ops.square(pair), axis=(1, 2), keepdims=True) + 1e-6)
    levelled = pair / level
    bank = layers.Conv1D(
        2 * sizes.bands,
        length,
        strides=length // 4,
        use_bias=False,
        kernel_initializer=_semitone_bank(sizes),
        trainable=False,
        name="bank",
    )
    pool = layers.AveragePooling1D(2, strides=2)
    scale = layers.BatchNormalization(name="scale")
    embed = layers.Conv1D(sizes.embedding, 1, activation="relu", name="embed")

    def embedded(edge: Any) -> Any:
        waves = bank(edge)
        power = ops.square(waves[:, :, : sizes.bands]) + ops.square(waves[:, :, sizes.bands :])
        return embed(pool(scale(ops.log(power + 1e-3))))

    tail = embedded(levelled[:, :edge_samples])
    # Mirrored, so that step by step both are as far from the seam.
    head = ops.flip(embedded(levelled[:, edge_samples:]), axis=1)
    both = layers.Concatenate()([tail, head, ops.abs(tail - head), tail * head])
    state = layers.LSTM(sizes.lstm_units, name="lstm")(layers.SpatialDropout1D(0.2)(both))
    overall = ops.abs(ops.mean(tail, axis=1) - ops.mean(head, axis=1))
    joined = layers.Dropout(0.3)(layers.Concatenate()([state, overall]))
    hidden = layers.Dense(sizes.dense_units, activation="relu")(joined)
    return keras.Model(pair, layers.Dense(1, activation="sigmoid", name="score")(hidden), name="fast")


def _semitone_bank(sizes: FastShape) -> Callable[..., Any]:
    """Return an initialiser of cosines, then sines, a semitone apart, under a Hann window."""

    def bank(shape: tuple[int, ...], dtype: Any = None) -> Any:
        length = shape[0]
        time_s = (np.arange(length) - length / 2) / EDGE_RATE_HZ
        pitch_hz = sizes.lowest_hz * 2.0 ** (np.arange(sizes.bands) / 12)
        phase = 2 * np.pi * pitch_hz * time_s[:, np.newaxis]
        window = np.hanning(length + 2)[1:-1, np.newaxis] / np.sqrt(length)
        filters = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) * window
        return ops.convert_to_tensor(filters[:, np.newaxis, :], dtype=dtype or "float32")

    return bank
