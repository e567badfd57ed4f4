"""Approach `start-end` has two pairs of classifiers, the report's to the letter and small ones on spectra."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES


@dataclass(frozen=True, kw_only=True)
class ClassifierShape:
    """Sizes of a classifier of preset `fast`."""

    near_frames: int = 8
    """Frames next to the cut that are looked at one by one."""
    near_units: int = 48
    channels: int = 48
    lstm_units: int = 48
    hidden_units: int = 128
    dropout: float = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class StartEndNetworks:
    """Three views of the same weights."""

    ends: Any
    """Tails -> `(n, classes)` logarithms of the probabilities of the classes."""
    starts: Any
    """Heads -> the same."""
    both: Any
    """[tails, heads] -> `(n, 2, classes)` logits: of ends, then of starts."""


def edge_networks(edge_samples: int, classes: int) -> StartEndNetworks:
    """Return the report's classifiers: edges `(n, edge_samples, 1)`."""
    ends, starts = (report_classifier(edge_samples, classes, name) for name in ("ends", "starts"))
    return _networks(ends, starts, (edge_samples, 1))


def spectral_networks(classes: int, mean: FloatArray, deviation: FloatArray) -> StartEndNetworks:
    """Return the small classifiers: spectra `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` in dB.

    mean, deviation: `(SPECTRUM_BINS,)` of the training songs in dB, by which bins are standardised.
    """
    ends, starts = (spectral_classifier(classes, mean, deviation, is_tail=side) for side in (True, False))
    return _networks(ends, starts, (SPECTRUM_FRAMES, SPECTRUM_BINS))


def _networks(ends: Any, starts: Any, shape: tuple[int, int]) -> StartEndNetworks:
    tail, head = keras.Input(shape, name="tail"), keras.Input(shape, name="head")
    return StartEndNetworks(
        ends=_probabilities(ends, shape),
        starts=_probabilities(starts, shape),
        both=keras.Model([tail, head], ops.stack([ends(tail), starts(head)], axis=1), name="start_end"),
    )


def report_classifier(edge_samples: int, classes: int, name: str) -> Any:
    """Return edges `(n, edge_samples, 1)` -> logits `(n, classes)`: the report's, layer by layer.

    The report carries out no network for its fourth approach; this is the one of its third (section 2.4), but
    for the softmax that it asks for here, which is taken of these logits.
    """
    if edge_samples < 2:
        raise ModelError(f"an edge of {edge_samples} samples is too short; give at least 2")
    return keras.Sequential(
        [
            keras.Input((edge_samples, 1)),
            layers.Conv1D(10, 1),
            layers.LSTM(20, return_sequences=True),
            layers.Dense(100),
            layers.Flatten(),
            layers.Dense(classes),
        ],
        name=name,
    )


def spectral_classifier(
    classes: int,
    mean: FloatArray,
    deviation: FloatArray,
    *,
    is_tail: bool,
    shape: ClassifierShape | None = None,
) -> Any:
    """Return spectra `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` in dB -> logits `(n, classes)`.

    A CNN-LSTM reads the 2.8 s towards the cut; what stands next to the cut is looked at once more, alone.
    """
    sizes, name = shape or ClassifierShape(), "ends" if is_tail else "starts"
    spectrum = keras.Input((SPECTRUM_FRAMES, SPECTRUM_BINS))
    # Not keras.layers.Normalization: what it is given becomes one more input of the exported graph.
    scale = 1.0 / np.maximum(deviation, 1.0)
    frames = layers.Rescaling(scale.tolist(), (-mean * scale).tolist())(spectrum)
    # Both sides run towards the cut.
    frames = frames if is_tail else ops.flip(frames, axis=1)
    seen = layers.Conv1D(sizes.channels, 4, strides=2, activation="relu")(frames)
    seen = layers.MaxPooling1D(2)(seen)
    state = layers.LSTM(sizes.lstm_units, name=f"{name}_lstm")(layers.SpatialDropout1D(sizes.dropout)(seen))
    flat = ops.reshape(frames[:, -sizes.near_frames :], (-1, sizes.near_frames * SPECTRUM_BINS))
    near = layers.Dense(sizes.near_units, activation="relu")(flat)
    summary = layers.Concatenate()([ops.mean(seen, axis=1), state, near])
    hidden = layers.Dense(sizes.hidden_units, activation="relu")(layers.Dropout(sizes.dropout)(summary))
    logits = layers.Dense(classes)(layers.Dropout(sizes.dropout)(hidden))
    return keras.Model(spectrum, logits, name=name)


def _probabilities(classifier: Any, shape: tuple[int, int]) -> Any:
    """Return a classifier that gives logarithms of probabilities: the export's own view of the weights."""
    seen = keras.Input(shape)
    return keras.Model(seen, ops.log_softmax(classifier(seen), axis=-1))
