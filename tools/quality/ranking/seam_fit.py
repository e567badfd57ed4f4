"""The fit of a seam network learns, as the logistic regression does, the one right choice among several."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray
from model.saved.seam_network import SeamNetwork
from tools.quality.ranking.preference import WRONG_OF_SONG, Contests

UNITS = (48, 24)
_EPOCHS = 20
_BATCH = 64
_RATE = 2e-3
_LAST_RATE = 0.02
"""Share of the rate that is left at the end of its cosine."""
_DECAY = 0.01
"""Of weights, each step, times the rate (AdamW: Loshchilov and Hutter, 2019)."""
_DROPPED = 0.1
_FIRST_MOMENT, _SECOND_MOMENT, _TINY = 0.9, 0.999, 1e-7


@dataclass(eq=False)
class _Layer:
    """One layer while it is learned: its weights and biases, and Adam's moments of both."""

    learned: list[FloatArray]
    first: list[FloatArray] = field(init=False)
    second: list[FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        self.first = [np.zeros_like(values) for values in self.learned]
        self.second = [np.zeros_like(values) for values in self.learned]

    @classmethod
    def drawn(cls, inputs: int, outputs: int, rng: np.random.Generator, *, last: bool) -> "_Layer":
        """Rectified units by He et al. (2015); the last begins at nothing, so that the sum decides."""
        deviation = 0.0 if last else np.sqrt(2 / inputs)
        weight = (rng.normal(0, 1, (inputs, outputs)) * deviation).astype(np.float32)
        return cls([weight, np.zeros(outputs, dtype=np.float32)])

    def step(self, slopes: list[FloatArray], rate: float, number: int) -> None:
        """Go one step of Adam (Kingma and Ba, 2015) down the slopes."""
        moments = zip(self.learned, slopes, self.first, self.second, strict=True)
        for values, slope, first, second in moments:
            first += np.float32(1 - _FIRST_MOMENT) * (slope - first)
            second += np.float32(1 - _SECOND_MOMENT) * (slope * slope - second)
            mean = first / np.float32(1 - _FIRST_MOMENT**number)
            square = second / np.float32(1 - _SECOND_MOMENT**number)
            values -= np.float32(rate) * (mean / (np.sqrt(square) + np.float32(_TINY)) + _DECAY * values)


def fit_network(shown: Contests, sums: DoubleArray, seed: int, *, epochs: int = _EPOCHS) -> SeamNetwork:
    """Return the network that, added to weighed sums, makes the first of each contest likeliest.

    shown: evidence, `(contests, candidates, SEAM_INPUTS)`. sums: `(contests, candidates)` logits of the
    logistic regression. Half of the loss asks among all, half among the candidates of the song alone.
    """
    rng = np.random.default_rng(seed)
    mean, spread = shown.mean(axis=(0, 1)), shown.std(axis=(0, 1)) + 1e-6
    seen, base = ((shown - mean) / spread).astype(np.float32), sums.astype(np.float32)
    widths = (shown.shape[2], *UNITS, 1)
    layers = [
        _Layer.drawn(inputs, outputs, rng, last=outputs == 1)
        for inputs, outputs in itertools.pairwise(widths)
    ]
    batch = min(_BATCH, len(seen))
    steps = epochs * (len(seen) // batch)
    order = np.empty(0, dtype=np.int64)
    for step in range(steps):
        if len(order) < batch:
            order = rng.permutation(len(seen))
        chosen, order = order[:batch], order[batch:]
        rate = _RATE * (_LAST_RATE + (1 - _LAST_RATE) * (0.5 + 0.5 * np.cos(np.pi * step / steps)))
        slopes = _slopes(layers, seen[chosen], base[chosen], rng)
        for layer, own in zip(layers, slopes, strict=True):
            layer.step(own, rate, step + 1)
    # Evidence comes as it is: what brings it to mean 0 and deviation 1 goes into the first layer.
    weight, bias = layers[0].learned
    layers[0].learned = [
        (weight / spread[:, None]).astype(np.float32),
        (bias - (mean / spread) @ weight).astype(np.float32),
    ]
    return SeamNetwork(
        weights=tuple(layer.learned[0] for layer in layers),
        biases=tuple(layer.learned[1] for layer in layers),
    )


def _slopes(
    layers: list[_Layer], seen: FloatArray, base: FloatArray, rng: np.random.Generator
) -> list[list[FloatArray]]:
    """Return the slopes of the mean loss of a batch, by layer, with units dropped at random."""
    values, kept = [seen.reshape(-1, seen.shape[2])], []
    for layer in layers[:-1]:
        weight, bias = layer.learned
        units = values[-1] @ weight + bias
        alive: BoolArray = (units > 0) & (rng.random(units.shape, dtype=np.float32) >= _DROPPED)
        kept.append(alive.astype(np.float32) / np.float32(1 - _DROPPED))
        values.append(units * kept[-1])
    weight, bias = layers[-1].learned
    logits = (values[-1] @ weight + bias).reshape(base.shape) + base
    slope = _chances(logits)
    slope[:, : 1 + WRONG_OF_SONG] += _chances(logits[:, : 1 + WRONG_OF_SONG])
    slope[:, 0] -= 2
    back = (slope * np.float32(0.5 / len(base))).reshape(-1, 1)
    found = []
    for number in reversed(range(len(layers))):
        found.append([values[number].T @ back, back.sum(axis=0)])
        if number:
            back = (back @ layers[number].learned[0].T) * kept[number - 1]
    return found[::-1]


def _chances(logits: FloatArray) -> FloatArray:
    chances: FloatArray = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    return chances
