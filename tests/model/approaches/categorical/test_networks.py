"""The report's network has its layers, and its loss is what Keras made of sigmoids where the report ran."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import log_softmax

from model.approaches.categorical.networks import fast_classes, seed_classes
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES

CLASSES = 7


def test_preset_seed_is_the_reports_network() -> None:
    network = seed_classes(1000, 151)
    found = [(type(layer).__name__, tuple(layer.output.shape[1:])) for layer in network.layers]
    assert found == [
        ("Conv1D", (2000, 10)),
        ("LSTM", (2000, 20)),
        ("Dense", (2000, 100)),
        ("Flatten", (200_000,)),
        ("Dense", (151,)),
    ]
    assert network.layers[0].kernel_size == (1,) and network.input_shape == (None, 2000, 1)
    # Logits: the sigmoid of the report's last layer is part of its loss (below).
    assert network.layers[-1].activation is keras.activations.linear


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="says what Keras does on TensorFlow")
def test_sigmoids_under_categorical_cross_entropy_are_softmax_of_their_logits_on_tensorflow() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(0.0, 3.0, (16, 5)).astype(np.float32)
    truth = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, 16)]
    given = keras.Input((5,))
    dense = layers.Dense(CLASSES)
    logits = keras.Model(given, dense(given))
    reports = keras.Model(given, layers.Activation("sigmoid")(dense(given)))
    reports.compile("rmsprop", "categorical_crossentropy")
    ours = keras.losses.CategoricalCrossentropy(from_logits=True)
    values = np.asarray(logits.predict_on_batch(seen)).astype(np.float64)
    expected = -(truth * log_softmax(values, axis=1)).sum(axis=1).mean()
    assert float(ours(truth, values.astype(np.float32))) == pytest.approx(expected, rel=1e-5)
    assert float(reports.test_on_batch(seen, truth)) == pytest.approx(expected, rel=1e-5)
    # What the formula says, and what Keras computes on JAX and PyTorch: the sigmoids, normalised.
    sigmoids = 1.0 / (1.0 + np.exp(-values))
    normalised = -(truth * np.log(sigmoids / sigmoids.sum(axis=1, keepdims=True))).sum(axis=1).mean()
    assert abs(normalised - expected) > 0.5


def test_preset_fast_sees_both_sides_in_decibels_and_is_small() -> None:
    mean, deviation = np.full(SPECTRUM_BINS, -40.0), np.full(SPECTRUM_BINS, 10.0)
    network = fast_classes(CLASSES, mean, deviation)
    assert network.input_shape == (None, 2 * SPECTRUM_FRAMES, SPECTRUM_BINS)
    assert network.output_shape == (None, CLASSES)
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) <= 150_000
    quiet = np.full((1, 2 * SPECTRUM_FRAMES, SPECTRUM_BINS), -40.0, dtype=np.float32)
    standardised = np.asarray(network.get_layer("standardise")(quiet))
    np.testing.assert_allclose(standardised, 0.0, atol=1e-5)
