"""This kernel runs the report's LSTM over many candidates at once, with all of its products fused.

What the LSTM reads at a step is linear in three samples but for one bend per filter
(`model.approaches.binary.split`), and which side of which bend a window lies on is one of filters + 1 cases.
So the projection `x_t W + b` is looked up in a table of a few megabytes instead of being stored for each
chunk and step (1.6 GB for 1,800 chunks).
"""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from model.base.vector_tiles import LANES, multiply_add, sigmoid_of_twice, tanh
from stream.scoring.lstm_tile import GATES, TILE_COLUMNS, TILE_ROWS, add_product, fetch

_TANH_GATE = 2
"""Keras orders the gates input, forget, cell, output: all but this one are sigmoids."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecurrentState:
    """What an LSTM remembers between two steps: `(padded_units,)` float32, of many candidates `(n, ...)`."""

    hidden: FloatArray
    cell: FloatArray

    @classmethod
    def zero(cls, padded_units: int) -> "RecurrentState":
        """Return the state before anything was seen."""
        nothing = np.zeros(padded_units, dtype=np.float32)
        return cls(hidden=nothing, cell=nothing)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrence:
    """The weights of an LSTM behind a bent projection, cut into groups of `LANES` units, four gates each.

    Columns of sigmoid gates are halved, as `sigmoid(x) = (1 + tanh(x / 2)) / 2`; units that fill the last
    group up have weights of zero and stay zero.
    """

    units: int
    """Units that count; `padded_units` are computed."""
    bounds: FloatArray
    """`(filters,)` ascending: where a filter's bend lies, see `_direction`."""
    linear: FloatArray
    """`(groups, 4, TILE_COLUMNS)`: constant, and what each of the three samples adds."""
    bends: FloatArray
    """`(groups, filters + 1, 2, TILE_COLUMNS)`: what both differences add, case by case."""
    recurrent: FloatArray
    """`(groups, padded_units, TILE_COLUMNS)`."""

    @classmethod
    def of(
        cls, bounds: FloatArray, linear: FloatArray, bends: FloatArray, recurrent: FloatArray
    ) -> "Recurrence":
        """Lay weights out for the kernels.

        bounds: `(filters,)`; linear: `(4, 4 * units)`; bends: `(filters + 1, 2, 4 * units)`;
        recurrent: `(units, 4 * units)`; all float32, gates in Keras' order.
        """
        units = len(recurrent)
        padding = _padded(units) - units
        return cls(
            units=units,
            bounds=np.ascontiguousarray(bounds, dtype=np.float32),
            linear=_groups(linear),
            bends=_groups(bends),
            recurrent=_groups(np.pad(recurrent, ((0, padding), (0, 0)))),
        )

    @property
    def padded_units(self) -> int:
        """Units that are computed."""
        return _padded(self.units)

    def padded(self, output: FloatArray) -> FloatArray:
        """Return `(steps, units)` weights of the output with the units that fill the last group up."""
        return np.pad(output, ((0, 0), (0, self.padded_units - self.units))).astype(np.float32)

    def run(
        self, samples: FloatArray, output: FloatArray, before: RecurrentState
    ) -> tuple[DoubleArray, RecurrentState]:
        """Run all steps over the samples of `n` candidates, from one state, without the GIL.

        samples: `(n, 2 * steps + 1)` float32; step t reads samples 2t to 2t + 2.
        output: `(steps, padded_units)` float32, what each unit adds to the score at each step.
        before: the one state before the first step.
        Returns the sums `(n,)` float64, and the states of all candidates after the last step. The result for
        a candidate is the same, bit for bit, whatever stands beside it.
        """
        count, steps = len(samples), len(output)
        if samples.shape != (count, 2 * steps + 1) or output.shape[1:] != (self.padded_units,):
            raise ValueError(f"samples {samples.shape} and output {output.shape} do not fit")
        rows = -(-count // TILE_ROWS) * TILE_ROWS
        full = np.zeros((rows, samples.shape[1]), dtype=np.float32)
        full[:count] = samples
        hidden_rows = np.repeat(before.hidden[np.newaxis], rows, axis=0)
        cell_rows = np.repeat(before.cell[np.newaxis], rows, axis=0)
        sums, last = _run(
            full, self.bounds, self.linear, self.bends, self.recurrent, output, hidden_rows, cell_rows
        )
        return sums[:count], RecurrentState(hidden=last[:count], cell=cell_rows[:count])


def _padded(units: int) -> int:
    return -(-units // LANES) * LANES


def _groups(weights: FloatArray) -> FloatArray:
    """Cut the last axis, 4 x units, into groups: `(groups, ..., TILE_COLUMNS)`."""
    units = weights.shape[-1] // GATES
    gates = weights.reshape(*weights.shape[:-1], GATES, units) * np.float32(0.5)
    gates[..., _TANH_GATE, :] *= np.float32(2.0)
    gates = np.pad(gates, [(0, 0)] * (gates.ndim - 1) + [(0, _padded(units) - units)])
    parts = gates.reshape(*gates.shape[:-1], -1, LANES)
    parts = np.moveaxis(parts, -2, 0)
    return np.ascontiguousarray(parts.reshape(*parts.shape[:-2], TILE_COLUMNS), dtype=np.float32)


@kernel
def _run(
    samples: FloatArray,
    bounds: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
    recurrent: FloatArray,
    output: FloatArray,
    hidden: FloatArray,
    cell: FloatArray,
) -> tuple[DoubleArray, FloatArray]:
    count = len(hidden)
    following = np.empty_like(hidden)
    tile = np.empty((TILE_ROWS, TILE_COLUMNS), dtype=np.float32)
    windows = np.empty((count, 5), dtype=np.float32)
    cases = np.empty(count, dtype=np.int64)
    parts = np.zeros((count, LANES), dtype=np.float32)
    sums = np.zeros(count, dtype=np.float64)
    for step in range(len(output)):
        _look(samples, step, bounds, windows, cases)
        adds = output[step]
        for group in range(len(recurrent)):
            straight, bent = linear[group], bends[group]
            for first in range(0, count, TILE_ROWS):
                _project(windows, cases, first, straight, bent, tile)
                for row in range(first + TILE_ROWS, min(count, first + 2 * TILE_ROWS)):
                    fetch(bent, cases[row])
                add_product(tile, 0, 0, hidden, first, recurrent, group)
                _open_gates(tile, first, group * LANES, cell, following, adds, parts)
        hidden, following = following, hidden
        for row in range(count):
            for lane in range(LANES):
                sums[row] += parts[row, lane]
                parts[row, lane] = np.float32(0.0)
    return sums, hidden


@kernel
def _look(samples: FloatArray, step: int, bounds: FloatArray, windows: FloatArray, cases: IntArray) -> None:
    """Take each row's three samples, their differences on the upper half plane, and the case they are."""
    for row in range(len(samples)):
        first, middle, last = samples[row, 2 * step], samples[row, 2 * step + 1], samples[row, 2 * step + 2]
        before, after = first - middle, middle - last
        if after < 0.0 or (after == 0.0 and before < 0.0):
            before, after = -before, -after
        windows[row, 0] = first
        windows[row, 1] = middle
        windows[row, 2] = last
        windows[row, 3] = before
        windows[row, 4] = after
        size = abs(before) + after
        direction = np.float32(0.0)
        if size > 0.0:
            direction = np.float32(1.0) - before / size
        low, high = 0, len(bounds)
        while low < high:
            middle_bound = (low + high) // 2
            if bounds[middle_bound] <= direction:
                low = middle_bound + 1
            else:
                high = middle_bound
        cases[row] = low


@kernel
def _project(
    windows: FloatArray, cases: IntArray, first: int, linear: FloatArray, bends: FloatArray, tile: FloatArray
) -> None:
    for place in range(TILE_ROWS):
        row = first + place
        one, two, three = windows[row, 0], windows[row, 1], windows[row, 2]
        before, after = windows[row, 3], windows[row, 4]
        bend = bends[cases[row]]
        for column in range(TILE_COLUMNS):
            value = multiply_add(three, linear[3, column], linear[0, column])
            value = multiply_add(two, linear[2, column], value)
            value = multiply_add(one, linear[1, column], value)
            value = multiply_add(after, bend[1, column], value)
            tile[place, column] = multiply_add(before, bend[0, column], value)


@kernel
def _open_gates(
    tile: FloatArray,
    first: int,
    first_unit: int,
    cell: FloatArray,
    hidden: FloatArray,
    output: FloatArray,
    parts: FloatArray,
) -> None:
    for place in range(TILE_ROWS):
        row = first + place
        for lane in range(LANES):
            unit = np.uintp(first_unit) + np.uintp(lane)
            enter = sigmoid_of_twice(tile[place, lane])
            keep = sigmoid_of_twice(tile[place, LANES + lane])
            new = tanh(tile[place, 2 * LANES + lane])
            leave = sigmoid_of_twice(tile[place, 3 * LANES + lane])
            state = multiply_add(keep, cell[row, unit], enter * new)
            cell[row, unit] = state
            shown = leave * tanh(state)
            hidden[row, unit] = shown
            parts[row, lane] = multiply_add(shown, output[unit], parts[row, lane])
