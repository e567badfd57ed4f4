"""The wedge learner trains the report's Keras network by gradients of its wedge table, on the CPU."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from model.approaches.binary.gradient import SeedPasses, SeedWeights
from model.base.arrays import BoolArray, FloatArray

_GRAIN = 256
"""Dropout is drawn in bytes."""


class WedgeLearner:
    """Learns and scores in the place of a compiled `seed_network`, whose weights and optimiser it uses.

    The same network, loss, optimiser and dropout; which units are dropped is a function of seed and step
    alone, so that nothing but Keras' own variables has to be kept to go on. Runs on any backend of Keras, and
    always on the CPU, in one thread. Belongs to one thread.
    """

    def __init__(self, network: Any, seed: int) -> None:
        """Take a compiled network; `ModelError` when it has other sizes than wedges can be computed of."""
        self.network, self.seed = network, seed
        _, _, lstm, _, self._dropout, _, _ = network.layers
        self._passes = SeedPasses(network.input_shape[1] // 2, lstm.units)

    @property
    def optimizer(self) -> Any:
        """That of the network."""
        return self.network.optimizer

    @property
    def variables(self) -> Any:
        """Those of the network."""
        return self.network.variables

    @property
    def trainable_variables(self) -> Any:
        """Those of the network."""
        return self.network.trainable_variables

    @property
    def trainable_weights(self) -> Any:
        """Those of the network."""
        return self.network.trainable_weights

    def train_on_batch(self, pairs: FloatArray, labels: FloatArray) -> float:
        """Learn from `(n, 2 * edge_samples, 1)` pairs and `(n, 1)` labels; return the loss before it."""
        found = self._passes.gradient(
            self._weights(),
            pairs,
            labels,
            kept=self.let_through(int(self.optimizer.iterations), len(pairs)),
            share=1.0 - self._dropout.rate,
        )
        gradients = [keras.ops.convert_to_tensor(array) for array in found.weights]
        with _uninterrupted():
            self.optimizer.apply(gradients, self.trainable_variables)
        return found.loss

    def predict_on_batch(self, pairs: FloatArray) -> FloatArray:
        """Return the scores of `(n, 2 * edge_samples, 1)` pairs, `(n, 1)`."""
        return self._passes.scores(self._weights(), pairs)[:, np.newaxis]

    def let_through(self, step: int, pairs: int) -> BoolArray:
        """Return `(steps, pairs, dense)`: what dropout lets through in a step of the training."""
        weights = self._weights()
        shape = (len(weights.last) // len(weights.dense_bias), pairs, len(weights.dense_bias))
        rng = np.random.default_rng([self.seed, 6, step])
        drawn = rng.integers(0, _GRAIN, shape, dtype=np.uint8)
        kept: BoolArray = drawn >= round(self._dropout.rate * _GRAIN)
        return kept

    def _weights(self) -> SeedWeights:
        return SeedWeights(*(keras.ops.convert_to_numpy(value) for value in self.trainable_variables))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let an interruption wait for the end of the block, so that no checkpoint has half of a step."""
    if threading.current_thread() is not threading.main_thread():
        # Interruptions arrive in the main thread alone.
        yield
        return
    waiting: list[tuple[Any, ...]] = []
    before = signal.signal(signal.SIGINT, lambda *told: waiting.append(told))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting and callable(before):
        before(*waiting[0])
