"""The passes give scores and gradients of the report's network by its wedge table, equal to those of Keras.

Nothing after the LSTM is bent before the last sigmoid, so that dense layer, dropout and last layer are one
product for each step: how much the score feels each unit (`felt`), which is also its gradient.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from model.approaches.binary.passes import (
    BLOCK_TILE_ROWS,
    COLUMNS,
    collect_taken_in,
    find_cases,
    panels_of,
    run_backward,
    run_forward,
    score_forward,
    share_dense,
    weigh,
)
from model.approaches.binary.wedges import WedgeTable, WedgeWeights
from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.base.errors import ModelError

BLOCK_PAIRS = 66
"""Pairs whose states are kept at once: 210 MB at an edge of 440 samples."""


class SeedWeights(NamedTuple):
    """The weights of `seed_network`, or gradients of them: float32, of Keras' shapes and in its order."""

    filters: FloatArray
    filter_bias: FloatArray
    into: FloatArray
    recurrent: FloatArray
    lstm_bias: FloatArray
    dense: FloatArray
    dense_bias: FloatArray
    last: FloatArray
    last_bias: FloatArray

    @property
    def wedge(self) -> WedgeWeights:
        """What the wedge table is made of."""
        return WedgeWeights(
            filters=self.filters, filter_bias=self.filter_bias, into=self.into, bias=self.lstm_bias
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedGradient:
    """What a batch says about the weights."""

    logits: DoubleArray
    """`(pairs,)`: scores before the last sigmoid, as dropout left them."""
    loss: float
    """Mean binary cross-entropy."""
    weights: SeedWeights
    """Gradients of the loss."""


class SeedPasses:
    """Runs the report's network of one edge forwards and backwards. Belongs to one thread."""

    def __init__(self, edge_samples: int, units: int) -> None:
        """Make room for one block of pairs; `ModelError` for units that are no whole panels."""
        if units % COLUMNS:
            raise ModelError(f"the LSTM has {units} units, gradients by wedges need a multiple of {COLUMNS}")
        self._steps, self._units = edge_samples - 1, units
        self._room: _Room | None = None

    def scores(self, weights: SeedWeights, pairs: FloatArray) -> FloatArray:
        """Return what the network says of `(n, 2 * edge_samples, 1)` pairs, `(n,)`, without dropout."""
        table, recurrent = WedgeTable.of(weights.wedge), panels_of(weights.recurrent)
        after_dense = weights.last.reshape(self._steps, -1)
        output = np.ascontiguousarray(after_dense @ weights.dense.T)
        constant = float(weights.last_bias[0] + (after_dense @ weights.dense_bias).sum())
        logits = np.empty(len(pairs), dtype=np.float64)
        for block in _blocks(len(pairs)):
            seen = _Seen.of(pairs[block], table, self._steps)
            sums = np.zeros(len(seen.samples), dtype=np.float64)
            score_forward(
                seen.samples,
                seen.cases,
                seen.differences,
                table.linear,
                table.bends,
                recurrent,
                output,
                sums,
            )
            logits[block] = constant + sums[: len(pairs[block])]
        scores: FloatArray = _sigmoid(logits).astype(np.float32)
        return scores

    def gradient(
        self, weights: SeedWeights, pairs: FloatArray, labels: FloatArray, kept: BoolArray, share: float
    ) -> SeedGradient:
        """Return the gradient of the mean cross-entropy of a batch.

        pairs: `(n, 2 * edge_samples, 1)` float32. labels: `(n, 1)`. kept: `(steps, n, dense)`, which units
        dropout lets through, `share` of all.
        """
        table = WedgeTable.of(weights.wedge)
        recurrent, transposed = panels_of(weights.recurrent), panels_of(weights.recurrent.T)
        dense = panels_of(weights.dense.T)
        output = weights.last.reshape(self._steps, -1) / np.float32(share)
        found = SeedWeights(*(np.zeros_like(array) for array in weights))
        of_output = found.last.reshape(output.shape)
        of_linear, of_bends = np.zeros_like(table.linear), np.zeros_like(table.bends)
        logits = np.empty(len(pairs), dtype=np.float64)
        slopes = np.empty(len(pairs), dtype=np.float32)
        for block in _blocks(len(pairs)):
            seen = _Seen.of(pairs[block], table, self._steps)
            count = len(pairs[block])
            room = self._room_of(len(seen.samples), output.shape[1])
            room.kept[:, :count] = kept[:, block]
            room.kept[:, count:] = 0
            parts = (seen.samples, seen.cases, seen.differences)
            run_forward(*parts, table.linear, table.bends, recurrent, room.hidden, room.cell, room.gates)
            sums = np.zeros(len(seen.samples), dtype=np.float64)
            weigh(room.kept, room.hidden, output, dense, weights.dense_bias, room.felt, sums)
            logits[block] = sums[:count] + weights.last_bias[0]
            slope = np.zeros(len(seen.samples), dtype=np.float32)
            slope[:count] = (_sigmoid(logits[block]) - labels[block, 0]) / len(pairs)
            slopes[block] = slope[:count]
            run_backward(room.felt, slope, transposed, room.cell, room.gates)
            taken_in = room.gates.reshape(-1, room.gates.shape[2])
            found.recurrent[:] += room.hidden[:-1].reshape(-1, self._units).T @ taken_in
            order = np.argsort(seen.cases, axis=None, kind="stable")
            collect_taken_in(order, *parts, room.gates, of_linear, of_bends)
            np.multiply(room.kept, slope[:, np.newaxis], out=room.kept)
            product = np.empty_like(weights.dense)
            for step, let_through in enumerate(room.kept):
                np.matmul(room.hidden[step + 1].T, let_through, out=product)
                share_dense(product, weights.dense, output[step], found.dense, of_output[step])
            through = room.kept.sum(axis=1)
            found.dense_bias[:] += (through * output).sum(axis=0)
            of_output += through * weights.dense_bias
        of_output /= np.float32(share)
        wedge = table.gradients(of_linear, of_bends)
        found.last_bias[0] = slopes.sum()
        truth = labels[:, 0]
        losses = np.maximum(logits, 0) - logits * truth + np.log1p(np.exp(-np.abs(logits)))
        return SeedGradient(
            logits=logits,
            loss=float(losses.mean()),
            weights=found._replace(
                filters=wedge.filters,
                filter_bias=wedge.filter_bias,
                into=wedge.into,
                lstm_bias=wedge.bias,
            ),
        )

    def _room_of(self, rows: int, dense: int) -> "_Room":
        """Return room for a block, that of the block before if it is as large: fresh memory costs time."""
        if self._room is None or self._room.kept.shape[1:] != (rows, dense):
            self._room = _Room.of(self._steps, rows, self._units, dense)
        return self._room


@dataclass(frozen=True, kw_only=True, eq=False)
class _Room:
    """What is kept of a block from forwards to backwards; by steps, then rows."""

    hidden: FloatArray
    cell: FloatArray
    gates: FloatArray
    felt: FloatArray
    kept: FloatArray

    @classmethod
    def of(cls, steps: int, rows: int, units: int, dense: int) -> "_Room":
        # The state before the first step is zero and stays so.
        return cls(
            hidden=np.zeros((steps + 1, rows, units), dtype=np.float32),
            cell=np.zeros((steps + 1, rows, units), dtype=np.float32),
            gates=np.empty((steps, rows, 4 * units), dtype=np.float32),
            felt=np.empty((steps, rows, units), dtype=np.float32),
            kept=np.empty((steps, rows, dense), dtype=np.float32),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """A block of pairs, filled up to whole tiles by rows of silence, and where its windows lie."""

    samples: FloatArray
    cases: IntArray
    differences: FloatArray

    @classmethod
    def of(cls, pairs: FloatArray, table: WedgeTable, steps: int) -> "_Seen":
        rows = -(-len(pairs) // BLOCK_TILE_ROWS) * BLOCK_TILE_ROWS
        samples = np.zeros((rows, pairs.shape[1]), dtype=np.float32)
        samples[: len(pairs)] = pairs[:, :, 0]
        cases = np.empty((steps, rows), dtype=np.int64)
        differences = np.empty((steps, rows, 2), dtype=np.float32)
        find_cases(samples, table.bounds, cases, differences)
        return cls(samples=samples, cases=cases, differences=differences)


def _blocks(count: int) -> list[slice]:
    return [slice(first, min(count, first + BLOCK_PAIRS)) for first in range(0, count, BLOCK_PAIRS)]


def _sigmoid(logits: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * logits))
