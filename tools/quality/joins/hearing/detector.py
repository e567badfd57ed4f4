"""The detectors of joins are boosted trees on evidence and a small CNN on log-mel windows."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import EndlosError
from tools.quality.joins.hearing.between import BETWEEN
from tools.quality.joins.hearing.samples import Samples

Kind = Literal["boosted", "network"]
NETWORK_FRAMES = 128
"""The CNN sees so many pairs of frames of the window's middle."""
NETWORK_SCALE_DB = 12.0
PREDICTED = 256
"""Windows that the CNN scores at a time."""


class Detector(Protocol):
    """Tells joins from places where nothing was joined."""

    def fit(self, samples: Samples) -> None:
        """Learn from windows; joined and not joined weigh the same."""

    def score(self, samples: Samples) -> DoubleArray:
        """Return `(n,)`: how much each is like a join, as log-odds."""


class Boosted:
    """Gradient-boosted trees on `tools.quality.joins.hearing.evidence`."""

    def __init__(self, seed: int, rounds: int = 250) -> None:
        self._trees = HistGradientBoostingClassifier(
            max_iter=rounds,
            learning_rate=0.06,
            max_leaf_nodes=15,
            l2_regularization=1.0,
            min_samples_leaf=20,
            random_state=seed,
        )

    def fit(self, samples: Samples) -> None:
        """Learn (`Detector`)."""
        # Threads that wait for each other on a busy machine cost many times what they bring.
        with threadpool_limits(1):
            self._trees.fit(samples.evidence, samples.joined, sample_weight=balance(samples))

    def score(self, samples: Samples) -> DoubleArray:
        """Return log-odds (`Detector`)."""
        with threadpool_limits(1):
            found: DoubleArray = self._trees.decision_function(samples.evidence)
        return found


class Network:
    """A CNN of about 30,000 parameters on the log-mel spectrogram, 3 s seen as an image; needs Keras."""

    def __init__(self, seed: int, epochs: int = 12) -> None:
        self._seed, self._epochs = seed, epochs
        self._keras = load_keras()

    def fit(self, samples: Samples) -> None:
        """Learn (`Detector`)."""
        keras = self._keras
        keras.utils.set_random_seed(self._seed)
        images = image(samples.mel)
        layers = keras.layers
        given = keras.Input(images.shape[1:])
        hidden = layers.Reshape((*images.shape[1:], 1))(given)
        for filters, size, strides in ((16, 5, 2), (24, 3, 1), (32, 3, 1)):
            hidden = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(hidden)
            hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
            if strides == 1:
                hidden = layers.MaxPooling2D(2)(hidden)
        hidden = layers.Dropout(0.4)(layers.Flatten()(layers.AveragePooling2D((1, 4))(hidden)))
        hidden = layers.Dense(32, activation="relu")(hidden)
        self._model = keras.Model(given, layers.Dense(1)(layers.Dropout(0.3)(hidden)))
        steps = max(1, self._epochs * (-(-len(samples) // 64)))
        self._model.compile(
            keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=1e-3),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        self._model.fit(
            images,
            samples.joined.astype(np.float32)[:, None],
            sample_weight=balance(samples).astype(np.float32),
            batch_size=64,
            epochs=self._epochs,
            verbose=0,
        )

    def score(self, samples: Samples) -> DoubleArray:
        """Return log-odds (`Detector`)."""
        images = image(samples.mel)
        # Called directly: `predict` is compiled anew for each of many models, and says so at length.
        parts = [
            self._model(images[start : start + PREDICTED], training=False)
            for start in range(0, len(images), PREDICTED)
        ]
        found = np.concatenate([np.asarray(self._keras.ops.convert_to_numpy(part)) for part in parts])
        return found[:, 0].astype(np.float64)


def image(mel: FloatArray) -> FloatArray:
    """Return `(n, pairs, bands)` float32 as the CNN sees it, the window's mean taken out.

    Windows are cut to `NETWORK_FRAMES` about the middle; shorter ones are seen whole.
    """
    middle = mel.shape[1] // 2
    half = min(NETWORK_FRAMES // 2, middle)
    pairs = mel[:, middle - half : middle + half].astype(np.float32)
    result: FloatArray = (pairs - pairs.mean(axis=(1, 2), keepdims=True)) / NETWORK_SCALE_DB
    return result


def balance(samples: Samples) -> DoubleArray:
    """Return `(n,)` weights: each condition's joins count alike, and all joins like all other places.

    A join counts once, however many windows it is listened to by. Joins of one window stand at borders, the
    windows of longer ones anywhere: of the other places those between borders have the long joins' share.
    """
    joined = samples.joined
    windows = np.bincount(samples.transition)[samples.transition]
    weight = 1.0 / windows
    between = samples.condition == BETWEEN
    anywhere = 0.0
    if between.any():
        anywhere = float(weight[joined & (windows > 1)].sum() / max(1.0, weight[joined].sum()))
    for places, share in ((~joined & ~between, 1.0 - anywhere), (between, anywhere)):
        weight[places] *= 0.5 * share / max(1.0, weight[places].sum())
    kinds = np.unique(samples.condition[joined])
    for name in kinds:
        own = joined & (samples.condition == name)
        weight[own] *= 0.5 / weight[own].sum() / len(kinds)
    return weight * len(samples)


def make(kind: Kind, seed: int) -> Detector:
    """Return a detector that has learned nothing yet."""
    return Boosted(seed) if kind == "boosted" else Network(seed)


def has_keras() -> bool:
    """Return whether the CNN can be trained here."""
    try:
        load_keras()
    except EndlosError:
        return False
    return True


def load_keras() -> Any:
    """Return Keras; `EndlosError` where it is not installed."""
    from model.base.quiet import without_noise

    try:
        with without_noise():
            import keras
    except ModuleNotFoundError as error:
        raise EndlosError(
            f"the CNN detector needs the package {error.name}, which is not installed; install endlos with "
            "its extra, in its folder: pip install -e '.[train]', or take --detector boosted"
        ) from error
    return keras


def out_of_fold(
    samples: Samples, make_one: Callable[[], Detector], learned: Samples | None = None
) -> DoubleArray:
    """Return `(n,)` scores, each by a detector that heard none of the window's songs.

    learned: what is learned from; the samples themselves when None. Folds are song-disjoint.
    """
    source = samples if learned is None else learned
    scores = np.full(len(samples), np.nan)
    for fold in np.unique(samples.fold):
        detector = make_one()
        detector.fit(source.where(source.fold != fold))
        held = samples.fold == fold
        scores[held] = detector.score(samples.where(held))
    return scores
