"""A metric says how two quantised embeddings are compared; this module has all of them, a line each."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray
from model.base.kernels import kernel
from model.base.prefetching import ROWS_AHEAD, prefetch_row
from model.saved.scoring import CORRELATION_SHIFT, VectorMetric

Int8Array = npt.NDArray[np.int8]
Metric = VectorMetric | Literal["l1"]
"""Those of models, and `l1` of band levels."""

LEVELS = 127
"""Values of a quantised row reach from minus this to this."""
MAX_BYTES = 256
"""Bytes of one embedding with its scale; a chunk has two, and a decision reads only one of each."""
ALIGNED_BYTES = 16
"""Rows are filled up with zeros, which change no result: loops with a remainder take three times as long."""
MAX_WIDTH = (MAX_BYTES - 4) // ALIGNED_BYTES * ALIGNED_BYTES
LEAST_LEVEL_DB, MOST_LEVEL_DB = -80.0, -8.0
"""Metric `l1` keeps levels in dB from the one to the other, in steps of 0.28 dB. A band behind a Hann window
holds -10.3 dB of a sine at full scale, and -8.2 of a square."""
STEPS_PER_NAT = 16
"""Metric `product` keeps logarithms of probabilities, from 0 down, in steps of 1 / this: 6 % of each."""
_MOST_CLASSES = 1024
_UNIT = 2**52
"""What 1 is in whole numbers: so many probabilities of 1 still fit into 64 bits."""


@dataclass(frozen=True, kw_only=True)
class MetricForm:
    """How embeddings are kept in 8 bits for a metric, and compared."""

    scores: Callable[[Int8Array, np.float32, Int8Array, FloatArray, int, FloatArray], None]
    """A kernel: one row `(stored width,)`, its scale, rows `(n, stored width)`, their scales `(n,)`, the
    width, and the result `(n,)` float32, the higher the nearer. Every array but the last is read-only."""
    widest: int = MAX_WIDTH
    """Values of an embedding, at most."""
    grid: tuple[float, float] | None = None
    """Offset and scale that all rows share; None where each row's own largest value is its scale. A row is
    quantised alike whatever other rows there are, so that rows can be taken over."""
    lengths: Callable[[Int8Array, FloatArray], FloatArray] | None = None
    """Square roots `(n,)` of what rows `(n, width)` with scales `(n,)` score against themselves: a
    score divided by both lengths is 1 for what is the same. None where it is 0 for that, and else below."""
    logarithmic: bool = False
    """Whether scores are logarithms: then their exponentials are what is divided by lengths."""


# Sums are kept at 32 bits on purpose: numba widens integers to 64, and then they take twice as long.


@kernel
def _dots(
    reference: Int8Array,
    reference_scale: np.float32,
    rows: Int8Array,
    scales: FloatArray,
    width: int,
    result: FloatArray,
) -> None:
    count, stored = rows.shape
    wide = reference.astype(np.int16)
    for row in range(count):
        prefetch_row(rows, row + ROWS_AHEAD)
        total = np.int32(0)
        for column in range(stored):
            total = np.int32(total + np.int32(wide[column]) * np.int32(rows[row, column]))
        result[row] = np.float32(total) * (scales[row] * reference_scale)


@kernel
def _negative_differences(
    reference: Int8Array,
    reference_scale: np.float32,
    rows: Int8Array,
    scales: FloatArray,
    width: int,
    result: FloatArray,
) -> None:
    count, stored = rows.shape
    step = np.float32(reference_scale / width)
    for row in range(count):
        prefetch_row(rows, row + ROWS_AHEAD)
        total = np.int32(0)
        for column in range(stored):
            total = np.int32(total + abs(np.int32(reference[column]) - np.int32(rows[row, column])))
        result[row] = -np.float32(total) * step


@kernel
def _correlations(
    reference: Int8Array,
    reference_scale: np.float32,
    rows: Int8Array,
    scales: FloatArray,
    width: int,
    result: FloatArray,
) -> None:
    count, stored = rows.shape
    most_shift = min(CORRELATION_SHIFT, width // 4)
    shifts = 2 * most_shift + 1
    # With zeros before and behind what overlaps all products are equally long: loops that vary take ten times
    # as long.
    shifted = np.zeros((shifts, stored), dtype=np.int16)
    own = np.zeros(shifts, dtype=np.int32)
    for place in range(shifts):
        shift = place - most_shift
        for column in range(max(0, -shift), min(width, width - shift)):
            value = np.int32(reference[column])
            shifted[place, column + shift] = np.int16(value)
            own[place] += value * value
    other = np.zeros(shifts, dtype=np.int32)
    for row in range(count):
        whole = np.int32(0)
        for column in range(stored):
            whole = np.int32(whole + np.int32(rows[row, column]) * np.int32(rows[row, column]))
        other[most_shift] = left = right = whole
        for shift in range(1, most_shift + 1):
            first, last = np.int32(rows[row, shift - 1]), np.int32(rows[row, width - shift])
            left, right = np.int32(left - first * first), np.int32(right - last * last)
            other[most_shift + shift], other[most_shift - shift] = left, right
        best = -1.0
        for place in range(shifts):
            product = np.int32(0)
            for column in range(stored):
                product = np.int32(product + np.int32(shifted[place, column]) * np.int32(rows[row, column]))
            energy = np.float64(own[place]) * np.float64(other[place])
            found = np.float64(product) / np.sqrt(energy) if energy > 0.0 else 0.0
            best = max(best, found)
        result[row] = np.float32(best)


_POWERS = np.array(
    [
        int((Decimal(-steps) / STEPS_PER_NAT).exp() * _UNIT + Decimal("0.5"))
        for steps in range(4 * LEVELS + 1)
    ],
    dtype=np.int64,
)
"""exp(-steps / `STEPS_PER_NAT`) in units of 1 / `_UNIT`, the same on every processor."""


@kernel
def _products(
    reference: Int8Array,
    reference_scale: np.float32,
    rows: Int8Array,
    scales: FloatArray,
    width: int,
    result: FloatArray,
) -> None:
    for row in range(len(rows)):
        # Whole numbers, whose sum does not depend on its order; never 0, whatever the probabilities.
        total = np.int64(0)
        for column in range(width):
            total += _POWERS[2 * LEVELS - np.int64(reference[column]) - np.int64(rows[row, column])]
        result[row] = np.float32(np.log(np.float64(total) / _UNIT))


def kept_nats(rows: Int8Array) -> FloatArray:
    """Return the logarithms of probabilities that metric `product` keeps in `rows`, float32."""
    nats: FloatArray = (rows.astype(np.float32) - np.float32(LEVELS)) / np.float32(STEPS_PER_NAT)
    return nats


def _product_lengths(rows: Int8Array, scales: FloatArray) -> FloatArray:
    lengths: FloatArray = np.sqrt(np.exp(2.0 * kept_nats(rows)).sum(axis=1))
    return lengths


def _dot_lengths(rows: Int8Array, scales: FloatArray) -> FloatArray:
    lengths: FloatArray = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float32)) * scales
    return lengths


def _ones(rows: Int8Array, scales: FloatArray) -> FloatArray:
    return np.ones(len(rows), dtype=np.float32)


METRICS: dict[Metric, MetricForm] = {
    "dot": MetricForm(scores=_dots, lengths=_dot_lengths),
    "correlation": MetricForm(scores=_correlations, lengths=_ones),
    "product": MetricForm(
        scores=_products,
        widest=_MOST_CLASSES,
        grid=(-LEVELS / STEPS_PER_NAT, 1.0 / STEPS_PER_NAT),
        lengths=_product_lengths,
        logarithmic=True,
    ),
    "l1": MetricForm(
        scores=_negative_differences,
        grid=((LEAST_LEVEL_DB + MOST_LEVEL_DB) / 2, (MOST_LEVEL_DB - LEAST_LEVEL_DB) / (2 * LEVELS)),
    ),
}
"""`dot`: inner product. `correlation`: normalised correlation of what overlaps, the largest over shifts by at
most `CORRELATION_SHIFT`. `product`: of logarithms of two distributions' probabilities, the logarithm of the
chance that both are of one class. `l1`: minus the mean absolute difference, of
levels in dB."""
