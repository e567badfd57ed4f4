"""The split takes the report's network apart for a scorer, with exact results and far less work.

Three facts about `model.approaches.binary.networks.seed_network`, with s the samples [tail of A | head of B]
and E the edge:

1. Step t of the LSTM reads samples 2t to 2t + 2, and there are E - 1 steps. So the first (E - 1) // 2 steps
   depend on A alone, the next one straddles the seam, and all later ones depend on B but for their state.
2. Of a window (a, b, c), filter f of the convolution gives max(k0 a + k1 b, k0 b + k1 c) + bias after the
   pool. As max(u, v) = (u + v) / 2 + |u - v| / 2 and u - v = k0 (a - b) + k1 (b - c), what the LSTM takes in
   (`x W + b`) is linear in a, b and c, plus a sum of |k0 (a - b) + k1 (b - c)| W_f / 2. On the plane of both
   differences each filter bends along one line through the origin; between two lines that sum is linear.
   The filters cut the half plane into filters + 1 cases, and a table holds two vectors for each.
3. Nothing after the LSTM is bent before the last sigmoid: Dense(256), Flatten and Dense(1) are one vector
   per step, score = sigmoid(constant + sum over t of output_t . h_t). Dropout does nothing here.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.errors import ModelError
from model.saved.contract import GraphSpec, TensorSpec

SPLIT_FILE = "split.onnx"
SPLIT_ROLE = "split"
SPLIT_PRESET = "seed"
"""The preset whose network can be taken apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitWeights:
    """What is left of the network; all float32, gates in Keras' order: input, forget, cell, output."""

    bounds: FloatArray
    """`(filters,)` ascending: the `direction` of the line along which a filter bends."""
    linear: FloatArray
    """`(4, 4 * units)`: the constant, and the factors of a, b and c."""
    bends: FloatArray
    """`(filters + 1, 2, 4 * units)`: by case, the factors of a - b and b - c on the upper half plane."""
    recurrent: FloatArray
    """`(units, 4 * units)`."""
    output: FloatArray
    """`(steps, units)`: what each unit adds to the score before the sigmoid."""
    constant: FloatArray
    """`(1,)`."""


def split_weights(network: Any) -> SplitWeights:
    """Take the report's network apart; computed in float64.

    network: what `seed_network` builds, of any edge, filters and units. `ModelError` when it is another one.
    """
    kinds = [type(layer).__name__ for layer in network.layers]
    if kinds != ["Conv1D", "MaxPooling1D", "LSTM", "Dense", "Dropout", "Flatten", "Dense"]:
        raise ModelError(f"only the report's network can be split, not the layers {', '.join(kinds)}")
    conv, _, lstm, dense, _, _, last = network.layers
    kernel, conv_bias = _weights(conv)
    into, recurrent, lstm_bias = _weights(lstm)
    dense_kernel, dense_bias = _weights(dense)
    last_kernel, last_bias = _weights(last)
    if kernel.shape[:2] != (2, 1):
        raise ModelError(f"only filters of 2 samples of one channel can be split, not {kernel.shape[:2]}")

    first, second = kernel[:, 0]
    after_dense = last_kernel.reshape(-1, len(dense_bias))
    constant = last_bias + (after_dense @ dense_bias).sum()
    linear = np.stack([conv_bias, first / 2, (first + second) / 2, second / 2]) @ into
    linear[0] += lstm_bias
    bounds, bends = _bends(first, second, into)
    arrays = (bounds, linear, bends, recurrent, after_dense @ dense_kernel.T, constant)
    names = [field.name for field in fields(SplitWeights)]
    return SplitWeights(**{name: array.astype(np.float32) for name, array in zip(names, arrays, strict=True)})


def direction(before: FloatArray | DoubleArray, after: FloatArray | DoubleArray) -> Any:
    """Return where differences on the upper half plane point, from 0 (`after` is 0) up to 2.

    Ordered as the angle is, and cheaper.
    """
    return 1.0 - before / (np.abs(before) + after)


def split_graph(weights: SplitWeights, opset: int) -> bytes:
    """Return the weights as a graph without inputs whose outputs are named as the fields of `SplitWeights`.

    So a model folder holds nothing but graphs, and what reads one reads and checks all.
    """
    from onnx import helper, numpy_helper

    nodes, outputs = [], []
    for tensor in split_spec(weights).outputs:
        value = numpy_helper.from_array(getattr(weights, tensor.name), tensor.name)
        nodes.append(helper.make_node("Constant", [], [tensor.name], value=value))
        outputs.append(helper.make_tensor_value_info(tensor.name, value.data_type, tensor.shape))
    model = helper.make_model(
        helper.make_graph(nodes, SPLIT_ROLE, [], outputs),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    graph: bytes = model.SerializeToString()
    return graph


def split_spec(weights: SplitWeights) -> GraphSpec:
    """Return what the contract says of the graph."""
    outputs = tuple(
        TensorSpec(name=field.name, shape=getattr(weights, field.name).shape) for field in fields(weights)
    )
    return GraphSpec(file=SPLIT_FILE, inputs=(), outputs=outputs)


def score_split(weights: SplitWeights, pairs: FloatArray) -> FloatArray:
    """Score `(n, 2 * edge_samples, 1)` pairs step by step in NumPy, `(n,)`: what the runtime must equal."""
    units = len(weights.recurrent)
    hidden = np.zeros((len(pairs), units), dtype=np.float64)
    cell = np.zeros_like(hidden)
    total = np.full(len(pairs), weights.constant[0], dtype=np.float64)
    for step, output in enumerate(weights.output):
        window = pairs[:, 2 * step : 2 * step + 3, 0]
        taken = _taken_in(weights, window) + hidden @ weights.recurrent
        enter, forget, new, leave = np.split(taken, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
        hidden = _sigmoid(leave) * np.tanh(cell)
        total += hidden @ output
    return _sigmoid(total).astype(np.float32)


def _taken_in(weights: SplitWeights, window: FloatArray) -> DoubleArray:
    """Return `x W + b` `(n, 4 * units)` of windows `(n, 3)`."""
    before, after = -np.diff(window, axis=1).T
    turned = np.where((after < 0) | ((after == 0) & (before < 0)), np.float32(-1), np.float32(1))
    before, after = before * turned, after * turned
    still = (before == 0) & (after == 0)
    cases = np.searchsorted(weights.bounds, direction(np.where(still, 1, before), after), side="right")
    differences = np.stack([before, after], axis=1)
    bent: DoubleArray = np.einsum("nd,ndu->nu", differences, weights.bends[cases], dtype=np.float64)
    straight: DoubleArray = weights.linear[0] + window.astype(np.float64) @ weights.linear[1:]
    return bent + straight


def bend_order(first: DoubleArray, second: DoubleArray) -> tuple[DoubleArray, IntArray, DoubleArray]:
    """Return each filter's bound, the filters in the order of their bounds, and their signs before them.

    first, second: `(filters,)`, the two samples of each filter, which bends where `first * before + second *
    after` is 0, on the upper half plane; it changes its sign where its bound is passed.
    """
    turned = np.where((first > 0) | ((first == 0) & (second < 0)), -1.0, 1.0)
    before, after = turned * second, turned * -first
    never = (first == 0) & (second == 0)
    bounds = direction(np.where(never, 1.0, before), after)
    sign = np.where(first != 0, np.sign(first), -np.sign(second))
    return bounds, np.argsort(bounds, kind="stable"), sign


def _bends(first: DoubleArray, second: DoubleArray, into: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return the bounds in order, and by case the sum of `sign * (first, second) x into / 2` over filters."""
    bounds, order, sign = bend_order(first, second)
    share = (sign * np.stack([first, second]))[:, :, np.newaxis] * into
    bends = np.empty((len(first) + 1, 2, into.shape[1]), dtype=np.float64)
    bends[0] = share.sum(axis=1) / 2
    bends[1:] = bends[0] - np.cumsum(share[:, order], axis=1).swapaxes(0, 1)
    return bounds[order], bends


def _weights(layer: Any) -> list[DoubleArray]:
    return [np.asarray(weight, dtype=np.float64) for weight in layer.get_weights()]


def _sigmoid(values: DoubleArray) -> DoubleArray:
    result: DoubleArray = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result
