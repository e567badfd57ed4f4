"""This module computes the power spectra of many windows of a signal, by a compiled FFT.

NumPy's FFT takes six times as long, and SciPy's, which a runtime does not have, three times. Two real windows
are transformed as one complex signal, in steps of radix 4 (decimation in frequency) that stay in the nearest
cache; the last 16 points are transformed across the others, so that each step is one of vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.kernels import kernel

WINDOW_SIZES = (256, 512, 1_024, 2_048, 4_096)
_LAST = 16
_ROWS = np.array([4 * (lines % 4) + lines // 4 for lines in range(_LAST)])
"""In which row of the last 16 points each sixteenth of the lines stands."""
_TILE = 16
"""Of so many windows the bands are summed up side by side: their lines fit into the nearest cache."""


def window_powers(audio: FloatArray, starts: IntArray, window: FloatArray) -> FloatArray:
    """Return `(n, size // 2 + 1)` float32 powers of the weighed windows of a signal.

    audio: `(samples,)` float32; starts: `(n,)` int64, the first sample of each, from 0 up; window: `(size,)`
    float32 weights, of one of `WINDOW_SIZES`. What lies past the end of the audio counts as silence.
    """
    size = len(window)
    # Two windows are transformed at a time, an odd one beside silence.
    powers = np.empty((len(starts) + len(starts) % 2, size // 2 + 1), dtype=np.float32)
    factors, order = _factors(size), _order(size // _LAST)
    _fill_powers(np.require(audio, np.float32, ("C", "W")), starts, window, factors, order, powers)
    return powers[: len(starts)]


@dataclass(frozen=True, kw_only=True, eq=False)
class BandWeights:
    """What bands count of each line of a spectrum, nearly all nothing: of each band only the lines in it.

    first: `(bands,)` int64, its first line; counts: `(bands,)` int64, how many; weights: float32, all of
    them, band after band.
    """

    first: IntArray
    counts: IntArray
    weights: FloatArray


def band_weights(filters: FloatArray) -> BandWeights:
    """Return the weights of `(lines, bands)` float32 filters."""
    lines = [np.flatnonzero(band) for band in filters.T]
    first = np.array([found[0] if len(found) else 0 for found in lines], dtype=np.int64)
    counts = np.array([found[-1] + 1 - found[0] if len(found) else 0 for found in lines], dtype=np.int64)
    parts = [filters[a : a + n, band] for band, (a, n) in enumerate(zip(first, counts, strict=True))]
    return BandWeights(first=first, counts=counts, weights=np.concatenate(parts).astype(np.float32))


def band_powers(powers: FloatArray, bands: BandWeights) -> FloatArray:
    """Return `(n, bands)` float32: the weighed sum of the lines of each band, of `window_powers`."""
    found = np.empty((len(powers), len(bands.first)), dtype=np.float32)
    _fill_bands(powers, bands.first, bands.counts, bands.weights, found)
    return found


@cache
def _factors(size: int) -> FloatArray:
    """Return what each step multiplies by, step after step, real and imaginary parts by turns."""
    steps, span = [], size
    if (size.bit_length() - 1) % 2:
        steps.append(_roots(size, np.arange(size // 2), (1,)))
        span //= 2
    while span > _LAST:
        steps.append(_roots(span, np.arange(span // 4), (1, 2, 3)))
        span //= 4
    lanes = np.ones(size // _LAST, dtype=np.int64)
    steps += [_roots(_LAST, place * lanes, (1, 2, 3)) for place in range(_LAST // 4)]
    steps.append(_roots(4, 0 * lanes, (1, 2, 3)))
    return np.concatenate(steps)


def _roots(span: int, places: IntArray, powers: tuple[int, ...]) -> FloatArray:
    turns = [np.exp(-2j * np.pi * power * places / span) for power in powers]
    return np.concatenate([part for turn in turns for part in (turn.real, turn.imag)]).astype(np.float32)


@cache
def _order(blocks: int) -> IntArray:
    """Return which block of the last 16 points each of the first lines comes from, of as many as blocks."""
    return np.argsort(_first_lines(blocks))


def _first_lines(blocks: int) -> IntArray:
    """Return the first line that each block holds: decimation in frequency leaves them in disorder."""
    if blocks == 1:
        return np.zeros(1, dtype=np.int64)
    radix = 2 if (blocks.bit_length() - 1) % 2 else 4
    inner = _first_lines(blocks // radix)
    return np.concatenate([radix * inner + first for first in range(radix)])


_Step = Callable[[FloatArray, FloatArray, FloatArray], None]


# Lengths and distances are constants of a step: only so does LLVM see that its parts do not overlap.


def _compiled(step: _Step, name: str) -> _Step:
    """Compile a step under a name of its own.

    numba keeps what it compiled by the name: of two processes that compile several under one name at the same
    time, each may later be given what the other compiled of another.
    """
    step.__qualname__ = name
    return kernel(step)


def _quarters(count: int, apart: int, blocks: int) -> _Step:
    """Return a step of radix 4 over vectors of `count` values, `apart` from each other.

    blocks: how many there are side by side, with factors of their own; 0: as many as fit, with the same.
    """

    def step(re: FloatArray, im: FloatArray, factors: FloatArray) -> None:
        for block in range(blocks if blocks else len(re) // (4 * apart)):
            a = block * (count if blocks else 4 * apart)
            b, c, d = a + apart, a + 2 * apart, a + 3 * apart
            f = block * 6 * count if blocks else 0
            for i in range(count):
                sum_re, sum_im = re[a + i] + re[c + i], im[a + i] + im[c + i]
                gap_re, gap_im = re[a + i] - re[c + i], im[a + i] - im[c + i]
                odd_re, odd_im = re[b + i] + re[d + i], im[b + i] + im[d + i]
                turned_re, turned_im = im[b + i] - im[d + i], re[d + i] - re[b + i]
                re[a + i], im[a + i] = sum_re + odd_re, sum_im + odd_im
                x, y = gap_re + turned_re, gap_im + turned_im
                u, v = factors[f + i], factors[f + count + i]
                re[b + i], im[b + i] = x * u - y * v, x * v + y * u
                x, y, u, v = (
                    sum_re - odd_re,
                    sum_im - odd_im,
                    factors[f + 2 * count + i],
                    factors[f + 3 * count + i],
                )
                re[c + i], im[c + i] = x * u - y * v, x * v + y * u
                x, y = gap_re - turned_re, gap_im - turned_im
                u, v = factors[f + 4 * count + i], factors[f + 5 * count + i]
                re[d + i], im[d + i] = x * u - y * v, x * v + y * u

    return _compiled(step, f"quarters_{count}_{apart}_{blocks}")


def _halves(count: int) -> _Step:
    def step(re: FloatArray, im: FloatArray, factors: FloatArray) -> None:
        for i in range(count):
            x, y, u, v = re[i] - re[count + i], im[i] - im[count + i], factors[i], factors[count + i]
            re[i], im[i] = re[i] + re[count + i], im[i] + im[count + i]
            re[count + i], im[count + i] = x * u - y * v, x * v + y * u

    return _compiled(step, f"halves_{count}")


_halves_1024, _halves_256 = _halves(1_024), _halves(256)
_quarters_1024, _quarters_256, _quarters_128 = (
    _quarters(1_024, 1_024, 0),
    _quarters(256, 256, 0),
    _quarters(128, 128, 0),
)
_quarters_64, _quarters_32, _quarters_16 = _quarters(64, 64, 0), _quarters(32, 32, 0), _quarters(16, 16, 0)
_across_256, _across_128 = _quarters(256, 1_024, 4), _quarters(128, 512, 4)
_across_64, _across_32, _across_16 = _quarters(64, 256, 4), _quarters(32, 128, 4), _quarters(16, 64, 4)


@kernel
def _transform(
    re: FloatArray,
    im: FloatArray,
    factors: FloatArray,
    order: IntArray,
    lines_re: FloatArray,
    lines_im: FloatArray,
) -> None:
    """Transform a complex signal in place, and leave its lines in 16 rows of `lines_re` and `lines_im`.

    Line `r * lanes + i` stands at place i of row `_ROWS[r]`.
    """
    size, lanes, at = len(re), len(order), 0
    if size == 4_096:
        _quarters_1024(re, im, factors)
        at = 6 * 1_024
    if size == 2_048:
        _halves_1024(re, im, factors)
        at = 2 * 1_024
    if size == 512:
        _halves_256(re, im, factors)
        at = 2 * 256
    if size >= 1_024:
        _quarters_256(re, im, factors[at:])
        at += 6 * 256
    _quarters_64(re, im, factors[at:])
    _quarters_16(re, im, factors[at + 6 * 64 :])
    at += 6 * (64 + 16)
    for lane in range(lanes):
        block = order[lane]
        for row in range(16):
            lines_re[row * lanes + lane] = re[16 * block + row]
            lines_im[row * lanes + lane] = im[16 * block + row]
    if lanes == 256:
        _across_256(lines_re, lines_im, factors[at:])
        _quarters_256(lines_re, lines_im, factors[at + 24 * 256 :])
    elif lanes == 128:
        _across_128(lines_re, lines_im, factors[at:])
        _quarters_128(lines_re, lines_im, factors[at + 24 * 128 :])
    elif lanes == 64:
        _across_64(lines_re, lines_im, factors[at:])
        _quarters_64(lines_re, lines_im, factors[at + 24 * 64 :])
    elif lanes == 32:
        _across_32(lines_re, lines_im, factors[at:])
        _quarters_32(lines_re, lines_im, factors[at + 24 * 32 :])
    else:
        _across_16(lines_re, lines_im, factors[at:])
        _quarters_16(lines_re, lines_im, factors[at + 24 * 16 :])


@kernel
def _fill_powers(
    audio: FloatArray,
    starts: IntArray,
    window: FloatArray,
    factors: FloatArray,
    order: IntArray,
    powers: FloatArray,
) -> None:
    size, lanes = len(window), len(order)
    re, im = np.empty(size, dtype=np.float32), np.empty(size, dtype=np.float32)
    lines_re, lines_im = np.empty(size, dtype=np.float32), np.empty(size, dtype=np.float32)
    for pair in range(0, len(starts), 2):
        _weigh(audio, starts[pair], window, re)
        _weigh(audio, starts[pair + 1] if pair + 1 < len(starts) else len(audio), window, im)
        _transform(re, im, factors, order, lines_re, lines_im)
        for row in range(8):
            here, there, line = _ROWS[row] * lanes, _ROWS[15 - row] * lanes, row * lanes
            _part(lines_re, lines_im, here, there, lanes, powers, pair, line)
            # The first line of a row is the mirror of the first of another.
            _part_one(lines_re, lines_im, here, _ROWS[(16 - row) % 16] * lanes, powers, pair, line)
        middle = _ROWS[8] * lanes
        _part_one(lines_re, lines_im, middle, middle, powers, pair, 8 * lanes)


@kernel
def _weigh(audio: FloatArray, start: int, window: FloatArray, found: FloatArray) -> None:
    count = max(0, min(len(window), len(audio) - start))
    part = audio[start : start + count]
    for sample in range(count):
        found[sample] = part[sample] * window[sample]
    for sample in range(count, len(window)):
        found[sample] = np.float32(0.0)


# Places in whole arrays, as to slice one is to count its owners, which takes as long as four lines. Unsigned
# ones, as of others numba asks each time whether they count from the end, and no vectors come of that.


@kernel
def _part(
    re: FloatArray,
    im: FloatArray,
    here: int,
    there: int,
    lanes: int,
    powers: FloatArray,
    pair: int,
    line: int,
) -> None:
    """Part the lines of two real signals, by line k and line -k, and take their powers; all of a row but one.

    here, there: where the row begins in `re` and `im`, and the one that mirrors it; line: the row's first.
    """
    quarter = np.float32(0.25)
    first, mirror, target = np.uint64(here), np.uint64(there + lanes), np.uint64(line)
    for lane in range(1, lanes):
        i = np.uint64(lane)
        x, y, u, v = re[first + i], im[first + i], re[mirror - i], im[mirror - i]
        powers[pair, target + i] = quarter * ((x + u) * (x + u) + (y - v) * (y - v))
        powers[pair + 1, target + i] = quarter * ((y + v) * (y + v) + (u - x) * (u - x))


@kernel
def _part_one(
    re: FloatArray, im: FloatArray, here: int, there: int, powers: FloatArray, pair: int, line: int
) -> None:
    quarter = np.float32(0.25)
    x, y, u, v = re[here], im[here], re[there], im[there]
    powers[pair, line] = quarter * ((x + u) * (x + u) + (y - v) * (y - v))
    powers[pair + 1, line] = quarter * ((y + v) * (y + v) + (u - x) * (u - x))


@kernel
def _fill_bands(
    powers: FloatArray, first: IntArray, counts: IntArray, weights: FloatArray, found: FloatArray
) -> None:
    """Sum up bands of several windows at a time, each its own lane of a vector, in the nearest cache."""
    low, high = first.min(), (first + counts).max()
    tile = np.empty((high - low) * _TILE, dtype=np.float32)
    sums = np.empty((len(first), _TILE), dtype=np.float32)
    for start in range(0, len(powers), _TILE):
        lanes = min(_TILE, len(powers) - start)
        for lane in range(lanes):
            for line in range(high - low):
                tile[np.uint64(line * _TILE + lane)] = powers[np.uint64(start + lane), np.uint64(low + line)]
        at = 0
        for band in range(len(first)):
            own = sums[band]
            own[:] = np.float32(0.0)
            for line in range(first[band] - low, first[band] - low + counts[band]):
                weight = weights[at]
                for lane in range(_TILE):
                    own[lane] += weight * tile[np.uint64(line * _TILE + lane)]
                at += 1
        for lane in range(lanes):
            for band in range(len(first)):
                found[start + lane, band] = sums[band, lane]
