"""The sides of a cut anywhere in a song are picked from the song's grid, as spectra of chunks would be.

A song's spectra are computed once, on a grid of a quarter of a hop; the side of a chunk is then a matter of
picking rows, wherever the cut is, so that gaps, pitch, speed and tone can be drawn anew in every batch.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.kernels import kernel
from model.features import spectra as spectral
from model.features.spectra import (
    BROAD,
    HIGH,
    LOW,
    MEL,
    QUARTERS,
    SPECTRUM_BINS,
    SPECTRUM_FLOOR_DB,
    SPECTRUM_FRAMES,
)
from model.learning.song_set import GRID_S, GRID_STEPS_PER_DB, GridArray

MOST_SEMITONES = 12


def sides(
    grid: GridArray, cuts: IntArray, lengths: IntArray, *, tail: bool, speed: float = 1.0, semitones: int = 0
) -> FloatArray:
    """Return the tails that end at `cuts`, or the heads that begin there: `(n, frames, bins)` float32 dB.

    cuts, lengths: `(n,)` rows of the grid, and how many belong to the chunk on that side. As `chunk_spectra`,
    but for what the resampler sees of the neighbour (some samples) and for `speed` and `semitones`.
    """
    if len(cuts) and (cuts.min() < 0 or cuts.max() > len(grid) or np.abs(semitones) > MOST_SEMITONES):
        raise ValueError(f"cuts {cuts.min()} to {cuts.max()} of a grid of {len(grid)}, {semitones} semitones")
    reach = cuts if tail else len(grid) - cuts
    out = np.empty((len(cuts), SPECTRUM_FRAMES, SPECTRUM_BINS), dtype=np.float32)
    below, share = _shifted_mel(semitones)
    _pick(grid, cuts, np.minimum(lengths, reach), tail, speed, semitones, below, share, out)
    return out


def equal_chunks(rows: int, chunk_s: float, gap_s: float) -> tuple[IntArray, IntArray, IntArray]:
    """Return `(starts, ends, lengths)` of equal chunks of a song, `gap_s` missing at both their ends."""
    size, gap = round(chunk_s / GRID_S), round(gap_s / GRID_S)
    starts = np.arange(0, rows - size + 1, size)
    return starts + gap, starts + size - gap, np.full(len(starts), size - 2 * gap)


def level_statistics(grids: Sequence[GridArray], rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of each bin of a spectrum, in dB, from random rows of the songs."""
    rows = [grid[rng.integers(0, len(grid), 400)] for grid in grids if len(grid)]
    levels = np.concatenate(rows).astype(np.float32) / GRID_STEPS_PER_DB

    def bins(values: FloatArray) -> FloatArray:
        return np.concatenate([values[: -BROAD.bands], np.tile(values[-BROAD.bands :], QUARTERS)])

    return bins(levels.mean(axis=0)), bins(levels.std(axis=0))


@cache
def _shifted_mel(semitones: int) -> tuple[IntArray, FloatArray]:
    """Return for each mel band the band below the frequency it comes from, and the share of the next one."""
    hz = spectral.bin_hz()[: MEL.bands]
    place = np.interp(hz / 2 ** (semitones / 12), hz, np.arange(MEL.bands))
    below = np.minimum(place.astype(np.int64), MEL.bands - 2)
    return below, (place - below).astype(np.float32)


_MEL_BANDS, _TONES, _BROAD_BANDS = MEL.bands, LOW.bands + HIGH.bands, BROAD.bands
_LOW_TONES = LOW.bands
_MEL_WINDOW, _LOW_WINDOW, _HIGH_WINDOW, _BROAD_WINDOW = (
    group.window_grid for group in (MEL, LOW, HIGH, BROAD)
)


@kernel
def _pick(
    grid: GridArray,
    cuts: IntArray,
    lengths: IntArray,
    tail: bool,
    speed: float,
    semitones: int,
    below: IntArray,
    share: FloatArray,
    out: FloatArray,
) -> None:
    frames = out.shape[1]
    scale = np.float32(1.0 / GRID_STEPS_PER_DB)
    broad_first = _MEL_BANDS + _TONES
    last_row = grid.shape[0] - 1
    for seam in range(len(cuts)):
        cut, length = cuts[seam], lengths[seam]
        for i in range(frames):
            along = round(i * QUARTERS * speed)
            frame = out[seam, frames - 1 - i if tail else i]
            if along + QUARTERS > length:
                frame[:] = SPECTRUM_FLOOR_DB
                continue
            row = _window_row(cut, along, length, _MEL_WINDOW, tail, last_row)
            for band in range(_MEL_BANDS):
                low, high = grid[row, below[band]], grid[row, below[band] + 1]
                frame[band] = (low + (high - low) * share[band]) * scale
            low_row = _window_row(cut, along, length, _LOW_WINDOW, tail, last_row)
            high_row = _window_row(cut, along, length, _HIGH_WINDOW, tail, last_row)
            for tone in range(_TONES):
                source = min(max(tone - semitones, 0), _TONES - 1)
                # The window is that of the place, not that of the pitch it comes from.
                row = low_row if tone < _LOW_TONES else high_row
                frame[_MEL_BANDS + tone] = grid[row, _MEL_BANDS + source] * scale
            for quarter in range(QUARTERS):
                row = _window_row(cut, along + quarter, length, _BROAD_WINDOW, tail, last_row)
                column = broad_first + (QUARTERS - 1 - quarter if tail else quarter) * _BROAD_BANDS
                for band in range(_BROAD_BANDS):
                    frame[column + band] = grid[row, broad_first + band] * scale


@kernel
def _window_row(cut: int, along: int, length: int, window: int, tail: bool, last_row: int) -> int:
    """Return the row of the window `along` away from the cut, moved inside the chunk."""
    if tail:
        return min(max(cut - along - window, cut - length, 0), last_row)
    return min(max(min(cut + along, cut + length - window), cut), last_row)
