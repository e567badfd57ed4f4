"""The towers embed ends and starts; the product of two embeddings says what follows what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from model.base.arrays import FloatArray
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES


@dataclass(frozen=True, kw_only=True)
class TowerShape:
    """Sizes of the towers."""

    channels: int = 96
    lstm_units: int = 96
    hidden_units: int = 192
    dropout: float = 0.2
    general: int = 16
    """Values of the embedding that the CNN-LSTM gives."""
    onward: int = 24
    """Values that compare the continuation foretold of an end with what a start shows."""
    back: int = 24
    """Values that compare what a start lets expect before it with what an end shows."""
    nearby: int = 64
    """Values that compare the frames next to the cut, mirrored."""
    near_frames: int = 8
    foretold_frames: int = 24
    key_units: int = 32
    value_units: int = 48
    shortest_lag: int = 12
    longest_lag: int = 91
    """Frames; 0.28 to 2.1 s: a beat to a bar."""
    heard_frames: int = 32
    """Frames next to the cut that a lag is judged by."""

    @property
    def parts(self) -> tuple[int, ...]:
        """How many values of the embedding each kind of evidence has."""
        return (self.general, self.onward, self.back, self.nearby)


@dataclass(frozen=True, kw_only=True, eq=False)
class TowerNetworks:
    """Three views of the same weights."""

    ends: Any
    """Tails `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` in dB -> `(n, values)`, times the learned temperature."""
    starts: Any
    """Heads -> `(n, values)`."""
    both: Any
    """[tails, heads] -> `(n, n)` logits: row `i`, column `j` says how well head `j` follows tail `i`."""


@keras.saving.register_keras_serializable("endlos")
class Standardise(layers.Layer):  # type: ignore[misc]
    """Brings each bin to mean 0 and deviation 1 of the training songs; set once, not learned."""

    def build(self, shape: Sequence[int | None]) -> None:
        """Make room for mean and scale of each bin."""
        options = {"shape": (shape[-1],), "trainable": False}
        self.mean = self.add_weight(name="mean", initializer="zeros", **options)
        self.scale = self.add_weight(name="scale", initializer="ones", **options)

    def call(self, x: Any) -> Any:
        """Return the standardised bins."""
        return (x - self.mean) * self.scale


@keras.saving.register_keras_serializable("endlos")
class Temperature(layers.Layer):  # type: ignore[misc]
    """Scales each part of an embedding by a learned positive number."""

    def __init__(self, parts: Sequence[int], start: float, **options: Any) -> None:
        super().__init__(**options)
        self.parts, self.start = tuple(parts), start

    def build(self, shape: Sequence[int | None]) -> None:
        """Make one scale for each part."""
        initial = keras.initializers.Constant(float(np.log(self.start)))
        self.logarithm = self.add_weight(name="logarithm", shape=(len(self.parts),), initializer=initial)
        owner = np.repeat(np.arange(len(self.parts)), self.parts)
        self.spread = (owner[None] == np.arange(len(self.parts))[:, None]).astype(np.float32)

    def call(self, x: Any) -> Any:
        """Return the scaled embedding."""
        return x * ops.matmul(ops.exp(self.logarithm)[None], self.spread)


@keras.saving.register_keras_serializable("endlos")
class Foretell(layers.Layer):  # type: ignore[misc]
    """Copies, from the lags at which the music has repeated itself so far, what they say comes next.

    Frames run towards the cut. The last frames are compared with those of each lag before; the frames that
    followed there, mixed by how alike they are, are the continuation: `(n, foretold_frames, value_units)`.
    """

    def __init__(self, shape: TowerShape, **options: Any) -> None:
        super().__init__(**options)
        self.sizes = shape
        self.key = layers.Dense(shape.key_units, use_bias=False)

    def build(self, shapes: Sequence[Sequence[int | None]]) -> None:
        """Make the key's weights and the small constants that say which lags can be heard."""
        sizes = self.sizes
        self.key.build(shapes[0])
        self.sharpness = self.add_weight(
            name="sharpness", shape=(), initializer=keras.initializers.Constant(10.0)
        )
        lags = np.arange(sizes.shortest_lag, sizes.longest_lag + 1)
        # The last frame counts most; a frame whose lag lies before the spectrum does not count.
        row = np.arange(sizes.heard_frames)[:, np.newaxis]
        heard = SPECTRUM_FRAMES - sizes.heard_frames + row - lags >= 0
        weight = np.where(heard, np.exp((row + 1 - sizes.heard_frames) / 24), 0)
        self.heard = (weight / weight.sum(axis=0)).astype(np.float32)
        again = lags[lags < sizes.foretold_frames]
        ahead = np.arange(sizes.foretold_frames)
        repeat = np.zeros((len(lags), sizes.foretold_frames, SPECTRUM_FRAMES), dtype=np.float32)
        for number, lag in enumerate(again):
            late = ahead[ahead >= lag]
            repeat[number, late, SPECTRUM_FRAMES - lag + late % lag] = 1
        self.repeat = repeat[: len(again)].reshape(len(again), -1)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the continuation of `[frames, their values]`."""
        frames, values = inputs
        key = self.key(frames)
        key = unit_length(key - ops.mean(key, axis=1, keepdims=True))
        alike = ops.matmul(key[:, -self.sizes.heard_frames :], ops.transpose(key, (0, 2, 1)))
        weight = ops.softmax(self.by_lag(alike) * self.sharpness, axis=-1)
        return ops.matmul(self.copies(weight), values)

    def by_lag(self, alike: Any) -> Any:
        """Return `(n, lags)` how alike the last frames are to those a lag before: means over diagonals.

        alike: `(n, heard_frames, SPECTRUM_FRAMES)`. Written row after row, and read again in rows that are
        longer by one, a matrix has its diagonals as columns.
        """
        heard, frames = self.sizes.heard_frames, SPECTRUM_FRAMES
        before = max(0, self.sizes.longest_lag - (frames - heard))
        flat = ops.pad(ops.reshape(alike, (-1, heard * frames)), ((0, 0), (before, heard)))
        skewed = ops.reshape(flat[:, : heard * (frames + 1)], (-1, heard, frames + 1))
        last = before + frames - heard - self.sizes.shortest_lag
        first = before + frames - heard - self.sizes.longest_lag
        columns = ops.flip(skewed[:, :, first : last + 1], axis=2)
        return ops.sum(columns * self.heard, axis=1)

    def copies(self, weight: Any) -> Any:
        """Return `(n, foretold_frames, SPECTRUM_FRAMES)`: how much of each frame each foretold one has."""
        sizes, frames, ahead = self.sizes, SPECTRUM_FRAMES, self.sizes.foretold_frames
        at_once = ops.flip(weight, axis=1)
        row = ops.pad(at_once, ((0, 0), (frames - sizes.longest_lag, sizes.shortest_lag - 1 + ahead)))
        # One row after another, each begins one place further on.
        width = row.shape[1]
        flat = ops.reshape(ops.tile(row[:, None], (1, ahead, 1)), (-1, ahead * width))
        shifted = ops.reshape(flat[:, : ahead * (width - 1)], (-1, ahead, width - 1))[:, :, :frames]
        over = ops.matmul(weight[:, : self.repeat.shape[0]], self.repeat)
        return shifted + ops.reshape(over, (-1, ahead, frames))


def build_towers(shape: TowerShape | None = None) -> TowerNetworks:
    """Return fresh towers; what is said of an embedding's parts stands in `TowerShape`."""
    sizes = shape or TowerShape()
    side = (SPECTRUM_FRAMES, SPECTRUM_BINS)
    tail, head = keras.Input(side, name="tail"), keras.Input(side, name="head")
    standardise = Standardise(name="standardise")
    convolve = [
        layers.Conv1D(sizes.channels, 4, strides=2, padding="same", activation="relu", name="convolve_1"),
        layers.Conv1D(sizes.channels, 3, padding="same", activation="relu", name="convolve_2"),
    ]
    drop = layers.Dropout(sizes.dropout)
    foretell = Foretell(sizes, name="foretell")
    onward_value = layers.Dense(sizes.value_units, name="onward_value")
    back_value = layers.Dense(sizes.value_units, name="back_value")
    onward = _perceptron(128, sizes.onward, drop, "onward")
    back = _perceptron(128, sizes.back, drop, "back")
    near_value = layers.Dense(32, name="near_value")
    near_linear = layers.Dense(sizes.nearby, name="near_linear")
    near_curved = _perceptron(96, sizes.nearby, drop, "near")
    temperature = Temperature(sizes.parts, 3.5, name="temperature")

    def embedded(spectrum: Any, *, is_tail: bool) -> Any:
        name = "tail" if is_tail else "head"
        frames = standardise(spectrum)
        towards_cut = frames if is_tail else ops.flip(frames, axis=1)
        from_cut = ops.flip(frames, axis=1) if is_tail else frames
        # Convolved in the order of time, so that an attack looks alike on both sides; then read to the cut.
        seen = layers.MaxPooling1D(2)(convolve[1](convolve[0](frames)))
        seen = seen if is_tail else ops.flip(seen, axis=1)
        state = layers.LSTM(sizes.lstm_units, name=f"{name}_lstm")(drop(seen))
        near = layers.Dense(96, activation="relu", name=f"{name}_near")(
            ops.reshape(towards_cut[:, -6:], (-1, 6 * SPECTRUM_BINS))
        )
        summary = layers.Concatenate()([ops.mean(seen, axis=1), state, near])
        general = _perceptron(sizes.hidden_units, sizes.general, drop, f"{name}_general")(drop(summary))
        ahead = sizes.foretold_frames
        onward_frames = onward_value(frames)
        back_frames = back_value(towards_cut)
        shown = ops.flip(back_frames, axis=1) if is_tail else onward_frames
        if is_tail:
            follows, precedes = foretell([frames, onward_frames]), shown[:, :ahead]
        else:
            follows, precedes = shown[:, :ahead], foretell([towards_cut, back_frames])
        flat = (-1, ahead * sizes.value_units)
        beside = ops.reshape(near_value(from_cut[:, : sizes.near_frames]), (-1, sizes.near_frames * 32))
        parts = [
            general,
            onward(ops.reshape(follows, flat)),
            back(ops.reshape(precedes, flat)),
            near_linear(beside) + near_curved(beside),
        ]
        return ops.concatenate([unit_length(part) for part in parts], axis=-1)

    end, start = temperature(embedded(tail, is_tail=True)), embedded(head, is_tail=False)
    logits = ops.matmul(end, ops.transpose(start))
    return TowerNetworks(
        ends=keras.Model(tail, end, name="ends"),
        starts=keras.Model(head, start, name="starts"),
        both=keras.Model([tail, head], logits, name="towers"),
    )


def set_scale(towers: TowerNetworks, mean: FloatArray, deviation: FloatArray) -> None:
    """Set what the bins are standardised by: `(SPECTRUM_BINS,)` each, in dB."""
    layer = towers.both.get_layer("standardise")
    layer.mean.assign(mean)
    layer.scale.assign(1 / np.maximum(deviation, 1.0))


def unit_length(x: Any) -> Any:
    """Return vectors along the last axis, brought to length 1."""
    return x * ops.rsqrt(ops.sum(x * x, axis=-1, keepdims=True) + 1e-6)


def _perceptron(hidden: int, values: int, drop: Any, name: str) -> Any:
    first = layers.Dense(hidden, activation="relu", name=f"{name}_hidden")
    last = layers.Dense(values, name=f"{name}_out")
    return lambda x: last(drop(first(x)))
