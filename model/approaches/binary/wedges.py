"""The wedge table gives what the report's LSTM takes in, and leads gradients of it back to the filters.

How filters, pool and the LSTM's own kernel become a table of filters + 1 cases stands in
`model.approaches.binary.split`: case after case, the factors of the differences a - b and b - c of a window
(a, b, c) are half of the sum over filters of `sign * filter * into`, less that of each filter whose bound
was passed. So the gradient of a filter's share is half of the sum over all cases less the sum over those
past its bound: sums along the table from its end, once for a batch, whatever its windows are. The bounds
themselves have no gradient: at one the table's two neighbours give the same.
"""

from dataclasses import dataclass

import numpy as np

from model.approaches.binary.split import bend_order
from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class WedgeWeights:
    """What a wedge table is made of, or gradients of it; float32, of Keras' shapes and in its order."""

    filters: FloatArray
    """`(2, 1, filters)`."""
    filter_bias: FloatArray
    """`(filters,)`."""
    into: FloatArray
    """`(filters, columns)`: the kernel of the LSTM, columns being 4 * units."""
    bias: FloatArray
    """`(columns,)`: the LSTM's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WedgeTable:
    """What an LSTM takes in of a window of three samples, as a function of their place in the plane."""

    weights: WedgeWeights
    order: IntArray
    """`(filters,)`: filters in the order of their bounds."""
    signed: FloatArray
    """`(filters, 2)`: both samples of each filter, times its sign before its bound."""
    sign: FloatArray
    """`(filters, 1)`."""
    bounds: FloatArray
    """`(filters,)` ascending, see `model.approaches.binary.split.direction`."""
    linear: FloatArray
    """`(4, columns)`: the constant, and the factors of a, b and c."""
    bends: FloatArray
    """`(filters + 1, 2, columns)`: by case, the factors of a - b and b - c on the upper half plane."""

    @classmethod
    def of(cls, weights: WedgeWeights) -> "WedgeTable":
        """Make the table; its sums are made in float64."""
        first, second = weights.filters[:, 0].astype(np.float64)
        bounds, order, sign = bend_order(first, second)
        signed = (sign * np.stack([first, second])).T.astype(np.float32)
        bends = np.empty((len(order) + 1, 2, weights.into.shape[1]), dtype=np.float32)
        _sum_bends(order, signed, weights.into, bends)
        linear = _straight(weights) @ weights.into
        linear[0] += weights.bias
        return cls(
            weights=weights,
            order=order,
            signed=signed,
            sign=sign.astype(np.float32)[:, np.newaxis],
            bounds=bounds[order].astype(np.float32),
            linear=linear,
            bends=bends,
        )

    def gradients(self, linear: FloatArray, bends: FloatArray) -> WedgeWeights:
        """Return the gradients of all weights, from those of `linear` and `bends`."""
        weights = self.weights
        share = np.empty((len(self.order), 2, weights.into.shape[1]), dtype=np.float32)
        _share_bends(self.order, bends, share)
        into = self.signed[:, :1] * share[:, 0]
        into += self.signed[:, 1:] * share[:, 1]
        into += _straight(weights).T @ linear
        samples = self.sign * np.einsum("fdc,fc->fd", share, weights.into)
        constant, *straight = linear @ weights.into.T
        samples[:, 0] += (straight[0] + straight[1]) / 2
        samples[:, 1] += (straight[1] + straight[2]) / 2
        return WedgeWeights(filters=samples.T[:, np.newaxis], filter_bias=constant, into=into, bias=linear[0])


def _straight(weights: WedgeWeights) -> FloatArray:
    """Return `(4, filters)`: what each filter adds to the constant and to the factors of a, b and c."""
    first, second = weights.filters[:, 0]
    return np.stack([weights.filter_bias, first / 2, (first + second) / 2, second / 2])


@kernel
def _sum_bends(order: IntArray, signed: FloatArray, into: FloatArray, bends: FloatArray) -> None:
    columns = into.shape[1]
    sums = np.zeros((2, columns), dtype=np.float64)
    for place in range(len(order)):
        _add_share(signed[place], into[place], 0.5, sums)
    bends[0] = sums
    for place in range(len(order)):
        _add_share(signed[order[place]], into[order[place]], -1.0, sums)
        bends[place + 1] = sums


@kernel
def _add_share(signed: FloatArray, into: FloatArray, factor: float, sums: DoubleArray) -> None:
    for side in range(2):
        own = factor * signed[side]
        for column in range(len(into)):
            sums[side, column] += own * into[column]


@kernel
def _share_bends(order: IntArray, bends: FloatArray, share: FloatArray) -> None:
    total = np.zeros(bends.shape[1:], dtype=np.float64)
    for case in range(len(bends)):
        total += bends[case]
    past = np.zeros_like(total)
    for place in range(len(order) - 1, -1, -1):
        past += bends[place + 1]
        share[order[place]] = 0.5 * total - past
