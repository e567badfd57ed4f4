"""The CNN detector hears joins in log-mel windows by what changes across their middle."""

from contextlib import suppress
from typing import Any

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import EndlosError
from tools.quality.joins.hearing.lessons import LESSON_JOINS, Lessons
from tools.quality.joins.hearing.samples import Samples

NETWORK_FRAMES = 128
"""The CNN sees so many pairs of frames of the window's middle."""
NETWORK_SCALE_DB = 12.0
_CHANNELS = 24
_REACHES = (1, 2, 4, 8, 16, 32)
"""The CNN compares so many of its steps, 46 ms each, on either side."""
_RATE = 3e-3
_PREDICTED = 256
"""Windows that are scored at a time."""


class Network:
    """A CNN of about 20,000 parameters on the log-mel spectrogram; needs Keras.

    Convolutions over time make 24 channels of the bands. Of these it is told how far the mean of what comes
    after is from that of what was before, over six reaches from 46 ms to 1.5 s: across the middle, and how
    much more that is than elsewhere in the window.
    """

    def __init__(self, seed: int, batches: int = 400) -> None:
        self._seed, self._batches = seed, batches
        self._keras = load_keras()

    def fit(self, samples: Samples) -> None:
        """Learn (`Detector`)."""
        keras = self._keras
        keras.utils.set_random_seed(self._seed)
        lessons = Lessons(samples, self._seed)
        self._model = _convolutions(keras, image(samples.mel[:1]).shape[1:])
        rates = keras.optimizers.schedules.CosineDecay(_RATE, self._batches)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        # XLA takes half as long again, and many seconds before.
        self._model.compile(keras.optimizers.AdamW(rates, weight_decay=1e-3), loss, jit_compile=False)
        joined = np.repeat(np.array([[1.0], [0.0]], dtype=np.float32), LESSON_JOINS, axis=0)
        for _ in range(self._batches):
            self._model.train_on_batch(image(lessons.batch()), joined)

    def score(self, samples: Samples) -> DoubleArray:
        """Return log-odds (`Detector`)."""
        found = np.empty(len(samples))
        for start in range(0, len(samples), _PREDICTED):
            part = slice(start, start + _PREDICTED)
            # Called directly: `predict` is compiled anew for each of many models, and says so at length.
            told = self._model(image(samples.mel[part]), training=False)
            found[part] = self._keras.ops.convert_to_numpy(told)[:, 0]
        return found


def _convolutions(keras: Any, shape: tuple[int, ...]) -> Any:
    """Return a network that has learned nothing yet, from `(n, *shape)` to log-odds `(n, 1)`."""
    layers, ops = keras.layers, keras.ops
    given = keras.Input(shape)
    hidden = given
    for size, strides in ((2, 2), (3, 1)):
        hidden = layers.Conv1D(_CHANNELS, size, strides=strides, padding="same", use_bias=False)(hidden)
        hidden = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(hidden))
    told = []
    for reach in _REACHES:
        if 2 * reach <= hidden.shape[1]:
            differences = ops.abs(ops.matmul(_contrast(hidden.shape[1], reach), hidden))
            middle = differences[:, differences.shape[1] // 2]
            told += [middle, middle - ops.mean(differences, axis=1)]
    hidden = layers.BatchNormalization(momentum=0.95)(ops.concatenate(told, axis=-1))
    hidden = layers.Dense(48, activation="relu")(layers.Dropout(0.3)(hidden))
    return keras.Model(given, layers.Dense(1)(layers.Dropout(0.3)(hidden)))


def _contrast(steps: int, reach: int) -> FloatArray:
    """Return `(steps - 2 * reach + 1, steps)` float32: the mean of `reach` steps after a place less before.

    The middle of the window is the middle row.
    """
    places = np.arange(reach, steps - reach + 1)[:, None]
    away = np.arange(steps) - places
    after, before = (away >= 0) & (away < reach), (away < 0) & (away >= -reach)
    found: FloatArray = ((after.astype(np.float32) - before) / reach).astype(np.float32)
    return found


def image(mel: FloatArray) -> FloatArray:
    """Return `(n, pairs, bands)` float32 as the CNN sees it, the window's mean taken out.

    Windows are cut to `NETWORK_FRAMES` about the middle; shorter ones are seen whole.
    """
    middle = mel.shape[1] // 2
    half = min(NETWORK_FRAMES // 2, middle)
    pairs = mel[:, middle - half : middle + half].astype(np.float32)
    result: FloatArray = (pairs - pairs.mean(axis=(1, 2), keepdims=True)) / NETWORK_SCALE_DB
    return result


def load_keras() -> Any:
    """Return Keras, on one thread where nothing was computed yet; `EndlosError` where it is not installed."""
    from model.base.quiet import without_noise

    try:
        with without_noise():
            import keras
    except ModuleNotFoundError as error:
        raise EndlosError(
            f"the CNN detector needs the package {error.name}, which is not installed; install endlos with "
            "its extra, in its folder: pip install -e '.[train]', or take --detector boosted"
        ) from error
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # Threads that wait for each other on a busy machine cost many times what they bring. Where something
        # was computed before, it is too late.
        with suppress(RuntimeError):
            tensorflow.config.threading.set_intra_op_parallelism_threads(1)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return keras
