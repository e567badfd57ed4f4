"""These kernels run the report's LSTM over a batch, forwards and backwards, step by step, in one thread.

All arrays are float32 and ordered by steps, then rows (pairs, filled up to whole tiles), then units; gates
stand in Keras' order: input, forget, cell, output. What a kernel here is given fits: nothing is checked.
"""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from model.base.vector_tiles import (
    LANES,
    MANY_REGISTERS,
    add_product_of,
    multiply_add,
    sigmoid_of_twice,
    tanh,
)

BLOCK_TILE_ROWS = 6
_VECTORS = 4 if MANY_REGISTERS else 2
COLUMNS = _VECTORS * LANES
"""Columns of a panel: units are whole panels."""
_add_product = add_product_of(BLOCK_TILE_ROWS, _VECTORS)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)


def panels_of(matrix: FloatArray) -> FloatArray:
    """Return `(depth, columns)` cut into panels for `add_matrix`: `(columns / COLUMNS, depth, COLUMNS)`."""
    depth, columns = matrix.shape
    return np.ascontiguousarray(matrix.reshape(depth, columns // COLUMNS, COLUMNS).swapaxes(0, 1))


@kernel
def add_matrix(out: FloatArray, rows: FloatArray, panels: FloatArray) -> None:
    """Add `rows @ matrix` to `out`; the number of rows is a multiple of `BLOCK_TILE_ROWS`."""
    for panel in range(len(panels)):
        for row in range(0, len(out), BLOCK_TILE_ROWS):
            _add_product(out, row, panel * COLUMNS, rows, row, panels, panel)


@kernel
def find_cases(samples: FloatArray, bounds: FloatArray, cases: IntArray, differences: FloatArray) -> None:
    """Find the case of each window and its two differences on the upper half plane.

    samples: `(rows, 2 * steps + 2)`; step t reads 2t to 2t + 2. cases: `(steps, rows)`; differences:
    `(steps, rows, 2)`.
    """
    steps, rows = cases.shape
    for step in range(steps):
        for row in range(rows):
            first, middle, last = _window(samples, row, step)
            before, after = first - middle, middle - last
            if after < 0.0 or (after == 0.0 and before < 0.0):
                before, after = -before, -after
            differences[step, row, 0] = before
            differences[step, row, 1] = after
            size = abs(before) + after
            direction = np.float32(0.0)
            if size > 0.0:
                direction = _ONE - before / size
            cases[step, row] = np.searchsorted(bounds, direction, side="right")


@kernel
def step_forward(
    samples: FloatArray,
    step: int,
    cases: IntArray,
    differences: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
    recurrent: FloatArray,
    before: tuple[FloatArray, FloatArray],
    after: tuple[FloatArray, FloatArray],
    gates: FloatArray,
) -> None:
    """Take one step; before, after: hidden and cell `(rows, units)`; gates: `(rows, 4 * units)`, opened."""
    hidden_before, cell_before = before
    hidden_after, cell_after = after
    for row in range(len(gates)):
        _take_in(_window(samples, row, step), differences[row], linear, bends[cases[row]], gates[row])
    add_matrix(gates, hidden_before, recurrent)
    for row in range(len(gates)):
        _open(gates[row], cell_before[row], cell_after[row], hidden_after[row])


@kernel
def run_forward(
    samples: FloatArray,
    cases: IntArray,
    differences: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
    recurrent: FloatArray,
    hidden: FloatArray,
    cell: FloatArray,
    gates: FloatArray,
) -> None:
    """Take all steps and keep everything: `hidden` and `cell` have the state before the first step too."""
    for step in range(len(gates)):
        step_forward(
            samples,
            step,
            cases[step],
            differences[step],
            linear,
            bends,
            recurrent,
            (hidden[step], cell[step]),
            (hidden[step + 1], cell[step + 1]),
            gates[step],
        )


@kernel
def score_forward(
    samples: FloatArray,
    cases: IntArray,
    differences: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
    recurrent: FloatArray,
    output: FloatArray,
    sums: DoubleArray,
) -> None:
    """Take all steps and keep only the sums of `output` `(steps, units)` times hidden, over both."""
    steps, units = output.shape
    state = np.zeros((2, 2, len(samples), units), dtype=np.float32)
    gates = np.empty((len(samples), 4 * units), dtype=np.float32)
    for step in range(steps):
        now, then = state[step % 2], state[1 - step % 2]
        step_forward(
            samples,
            step,
            cases[step],
            differences[step],
            linear,
            bends,
            recurrent,
            (now[0], now[1]),
            (then[0], then[1]),
            gates,
        )
        for row in range(len(samples)):
            sums[row] += _product(then[0, row], output[step])


@kernel
def weigh(
    kept: FloatArray,
    hidden: FloatArray,
    output: FloatArray,
    dense: FloatArray,
    dense_bias: FloatArray,
    felt: FloatArray,
    sums: DoubleArray,
) -> None:
    """Add what dense layer, dropout and last layer make of all steps, and how the score feels each unit.

    kept: `(steps, rows, dense)`, what dropout lets through. hidden: `(steps + 1, rows, units)`. output:
    `(steps, dense)`. dense: panels of the transposed matrix. felt: `(steps, rows, units)`. sums: `(rows,)`.
    """
    through = np.empty(kept.shape[1:], dtype=np.float32)
    for step in range(len(kept)):
        for row in range(len(through)):
            for unit in range(len(dense_bias)):
                through[row, unit] = kept[step, row, unit] * output[step, unit]
        felt[step] = np.float32(0.0)
        add_matrix(felt[step], through, dense)
        for row in range(len(through)):
            sums[row] += _product(hidden[step + 1, row], felt[step, row])
            sums[row] += _product(through[row], dense_bias)


@kernel
def run_backward(
    felt: FloatArray,
    slope: FloatArray,
    recurrent: FloatArray,
    cell: FloatArray,
    gates: FloatArray,
) -> None:
    """Turn the opened gates into the gradients of what opened them.

    slope: `(rows,)`, the gradient of each row's score. recurrent: panels of the transposed matrix.
    """
    steps, rows, units = felt.shape
    of_hidden = np.empty((rows, units), dtype=np.float32)
    of_cell = np.zeros((rows, units), dtype=np.float32)
    for step in range(steps - 1, -1, -1):
        for row in range(rows):
            for unit in range(units):
                of_hidden[row, unit] = slope[row] * felt[step, row, unit]
        if step + 1 < steps:
            add_matrix(of_hidden, gates[step + 1], recurrent)
        for row in range(rows):
            _close(gates[step, row], cell[step, row], cell[step + 1, row], of_hidden[row], of_cell[row])


@kernel
def collect_taken_in(
    order: IntArray,
    samples: FloatArray,
    cases: IntArray,
    differences: FloatArray,
    taken_in: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
) -> None:
    """Add the gradients of what was taken in to those of the wedge table.

    order: `(steps * rows,)`, windows by their case, so that a case stays in the cache. taken_in: `(steps,
    rows, columns)`.
    """
    rows = cases.shape[1]
    for place in order:
        step, row = place // rows, place % rows
        first, middle, last = _window(samples, row, step)
        before, after = differences[step, row]
        case = cases[step, row]
        own, bent_before, bent_after = taken_in[step, row], bends[case, 0], bends[case, 1]
        for column in range(len(own)):
            bent_before[column] += before * own[column]
            bent_after[column] += after * own[column]
            linear[0, column] += own[column]
            linear[1, column] += first * own[column]
            linear[2, column] += middle * own[column]
            linear[3, column] += last * own[column]


@kernel
def share_dense(
    product: FloatArray, dense: FloatArray, output: FloatArray, of_dense: FloatArray, of_output: FloatArray
) -> None:
    """Add a step's part to the gradients of the dense matrix and of the last layer's row for that step.

    product: `(units, dense)`, hidden times what dropout let through times slope, summed over rows.
    """
    for unit in range(len(product)):
        for column in range(len(output)):
            of_dense[unit, column] += product[unit, column] * output[column]
            of_output[column] += product[unit, column] * dense[unit, column]


@kernel
def _window(samples: FloatArray, row: int, step: int) -> tuple[np.float32, np.float32, np.float32]:
    return samples[row, 2 * step], samples[row, 2 * step + 1], samples[row, 2 * step + 2]


@kernel
def _take_in(
    window: tuple[np.float32, np.float32, np.float32],
    differences: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
    taken: FloatArray,
) -> None:
    first, middle, last = window
    before, after = differences
    for column in range(len(taken)):
        value = multiply_add(last, linear[3, column], linear[0, column])
        value = multiply_add(middle, linear[2, column], value)
        value = multiply_add(first, linear[1, column], value)
        value = multiply_add(after, bends[1, column], value)
        taken[column] = multiply_add(before, bends[0, column], value)


@kernel
def _open(gates: FloatArray, cell_before: FloatArray, cell_after: FloatArray, hidden: FloatArray) -> None:
    # Two loops, and a view for each gate: else it does not fit into vectors.
    units = len(hidden)
    enter, keep, new, leave = _by_gate(gates, units)
    for unit in range(units):
        enter[unit] = sigmoid_of_twice(_HALF * enter[unit])
        keep[unit] = sigmoid_of_twice(_HALF * keep[unit])
        new[unit] = tanh(new[unit])
        cell_after[unit] = multiply_add(keep[unit], cell_before[unit], enter[unit] * new[unit])
    for unit in range(units):
        leave[unit] = sigmoid_of_twice(_HALF * leave[unit])
        hidden[unit] = leave[unit] * tanh(cell_after[unit])


@kernel
def _close(
    gates: FloatArray,
    cell_before: FloatArray,
    cell_after: FloatArray,
    of_hidden: FloatArray,
    of_cell: FloatArray,
) -> None:
    units = len(of_hidden)
    enter, keep, new, leave = _by_gate(gates, units)
    for unit in range(units):
        shown = tanh(cell_after[unit])
        of_cell[unit] += of_hidden[unit] * leave[unit] * (_ONE - shown * shown)
        leave[unit] = of_hidden[unit] * shown * leave[unit] * (_ONE - leave[unit])
    for unit in range(units):
        state, open_enter, open_keep, open_new = of_cell[unit], enter[unit], keep[unit], new[unit]
        enter[unit] = state * open_new * open_enter * (_ONE - open_enter)
        keep[unit] = state * cell_before[unit] * open_keep * (_ONE - open_keep)
        new[unit] = state * open_enter * (_ONE - open_new * open_new)
        of_cell[unit] = state * open_keep


@kernel
def _by_gate(gates: FloatArray, units: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    return gates[:units], gates[units : 2 * units], gates[2 * units : 3 * units], gates[3 * units :]


@kernel
def _product(left: FloatArray, right: FloatArray) -> float:
    total = 0.0
    for place in range(len(left)):
        total += left[place] * right[place]
    return total
