"""Gradients by wedges are those of another autodiff, and a training by them is that of Keras."""

import signal
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.approaches.binary.gradient import BLOCK_PAIRS, SeedPasses, SeedWeights
from model.approaches.binary.learner import WedgeLearner
from model.approaches.binary.passes import COLUMNS
from model.base.arrays import BoolArray, FloatArray
from model.base.errors import ModelError
from tests.support.report_networks import network_of

EDGE, DENSE = 9, 7
SHARE = 0.75


def network(edge: int = EDGE, seed: int = 0) -> Any:
    return network_of(edge, 40, COLUMNS, DENSE, seed)


def batch(pairs: int, edge: int = EDGE) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(pairs)
    seen = rng.uniform(-1, 1, (pairs, 2 * edge, 1)).astype(np.float32)
    # A short chunk's edge is filled up with silence.
    seen[0, :5] = 0
    return seen, (rng.random((pairs, 1)) > 0.5).astype(np.float32)


def weights_of(network: Any) -> SeedWeights:
    return SeedWeights(*network.get_weights())


def by_tensorflow(
    network: Any, seen: FloatArray, labels: FloatArray, kept: BoolArray
) -> tuple[float, list[FloatArray]]:
    """Loss and gradients by TensorFlow's tape through Keras' layers, with this dropout for its."""
    *before, _, _, last = network.layers
    with tf.GradientTape() as tape:
        values = tf.constant(seen)
        for layer in before:
            values = layer(values)
        values *= kept.swapaxes(0, 1).astype(np.float32) / np.float32(SHARE)
        logits = tf.reshape(values, (len(seen), -1)) @ last.kernel + last.bias
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
    gradients = tape.gradient(loss, [variable.value for variable in network.trainable_variables])
    return float(loss), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize(("edge", "pairs"), [(2, 1), (9, 20), (10, BLOCK_PAIRS + 7)])
def test_gradients_are_those_of_another_autodiff(edge: int, pairs: int) -> None:
    shaken, (seen, labels) = network(edge), batch(pairs, edge)
    kept = np.random.default_rng(1).random((edge - 1, pairs, DENSE)) < SHARE
    passes = SeedPasses(edge, COLUMNS)
    passes.gradient(weights_of(network(edge, seed=1)), seen, labels, kept, SHARE)
    # After a batch of another network: nothing of it may be left.
    found = passes.gradient(weights_of(shaken), seen, labels, kept, SHARE)
    loss, gradients = by_tensorflow(shaken, seen, labels, kept)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    for name, gradient, expected in zip(SeedWeights._fields, found.weights, gradients, strict=True):
        assert gradient.shape == expected.shape, name
        assert np.abs(gradient - expected).max() <= 2e-5 * np.abs(expected).max(), name


def test_scores_are_those_of_keras() -> None:
    shaken, (seen, _) = network(), batch(BLOCK_PAIRS + 1)
    found = SeedPasses(EDGE, COLUMNS).scores(weights_of(shaken), seen)
    assert np.abs(found - shaken.predict_on_batch(seen)[:, 0]).max() <= 1e-6


def compiled(rate: float, optimizer: Any = None) -> Any:
    made = network()
    made.layers[4].rate = rate
    made.compile(optimizer or keras.optimizers.RMSprop(), "binary_crossentropy", jit_compile=False)
    made.optimizer.build(made.trainable_variables)
    return made


def test_steps_are_those_of_keras() -> None:
    ours, theirs = compiled(0.0), compiled(0.0)
    learner = WedgeLearner(ours, seed=0)
    for step in range(3):
        seen, labels = batch(20 + step)
        assert learner.train_on_batch(seen, labels) == pytest.approx(
            float(theirs.train_on_batch(seen, labels)), rel=1e-4
        )
    assert int(ours.optimizer.iterations) == 3
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(own - other).max() <= 2e-5


def test_dropout_is_a_function_of_seed_and_step() -> None:
    learner = WedgeLearner(compiled(0.25), seed=3)
    kept = learner.let_through(5, 400)
    assert kept.shape == (EDGE - 1, 400, DENSE)
    assert kept.mean() == pytest.approx(0.75, abs=0.01)
    assert np.array_equal(kept, WedgeLearner(compiled(0.25), seed=3).let_through(5, 400))
    assert not np.array_equal(kept, learner.let_through(6, 400))
    assert not np.array_equal(kept, WedgeLearner(compiled(0.25), seed=4).let_through(5, 400))


class Interrupting(keras.optimizers.SGD):  # type: ignore[misc]
    """Is interrupted after the first of its variables."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate)
        if variable.shape == (2, 1, 40):
            signal.raise_signal(signal.SIGINT)


def test_an_interruption_leaves_no_half_of_a_step() -> None:
    interrupted, whole = compiled(0.25, Interrupting()), compiled(0.25, keras.optimizers.SGD())
    # A shell in the background hands on that it is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            WedgeLearner(interrupted, seed=0).train_on_batch(*batch(4))
    finally:
        signal.signal(signal.SIGINT, before)
    WedgeLearner(whole, seed=0).train_on_batch(*batch(4))
    assert int(interrupted.optimizer.iterations) == 1
    for own, other in zip(interrupted.get_weights(), whole.get_weights(), strict=True):
        assert np.array_equal(own, other)


def test_a_network_of_other_units_is_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError, match=f"a multiple of {COLUMNS}"):
        SeedPasses(EDGE, COLUMNS + 1)
