"""A song set holds the spectra of some songs on a fine grid, so that training can cut any place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.features import spectra as spectral
from model.features.phase import middle, out_of_phase
from model.features.spectra import BAND_GROUPS, LOW, MEL, QUARTERS

GridArray = npt.NDArray[np.int16]

GRID_S = spectral.SPECTRUM_HOP_S / QUARTERS
GRID_BANDS = sum(group.bands for group in BAND_GROUPS)
GRID_STEPS_PER_DB = 256
"""A grid is kept in whole numbers: half the memory, and no finer than its noise."""
_SLICE = 512


@dataclass(frozen=True, kw_only=True)
class JudgedJoin:
    """A join that a listener liked or not: songs by their number, places by the row of their grid."""

    from_song: int
    from_row: int
    to_song: int
    to_row: int
    liked: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class SongSet:
    """Grids of some songs, what they are of (JSON values only), and the judged joins between them."""

    grids: Sequence[GridArray]
    source: dict[str, object]
    judged: Sequence[JudgedJoin] = ()
    spans: Sequence[IntArray] = ()
    """For each song `(chunks, 2)` int64, rows of its grid where the pool's chunks begin and end."""
    reference: Sequence[int] = ()
    """Songs whose transitions are classes, by their number."""

    @property
    def chunk_song(self) -> IntArray:
        """The song of each chunk of the pool, `(N,)` int64."""
        return np.repeat(np.arange(len(self.spans)), [len(spans) for spans in self.spans])

    def runs(self) -> IntArray:
        """Return `(N,)` int64, rising: chunks of one number follow each other in a song without a gap."""
        if not self.spans:
            return np.zeros(0, dtype=np.int64)
        spans, song = np.concatenate(self.spans), self.chunk_song
        begins = np.ones(len(spans), dtype=np.bool_)
        begins[1:] = (song[1:] != song[:-1]) | (spans[1:, 0] != spans[:-1, 1])
        return np.cumsum(begins, dtype=np.int64) - 1


def song_grid(audio: FloatArray, sample_rate_hz: int) -> GridArray:
    """Return `(rows, GRID_BANDS)` levels of a whole song; row `t` begins `t * GRID_S` after its start.

    audio: `(frames, 2)` float32. In steps of 1 / `GRID_STEPS_PER_DB` dB.
    """
    mono = middle(audio, side=out_of_phase([audio]))
    fast = spectral.resampled(mono, sample_rate_hz, MEL)
    slow = spectral.resampled(mono, sample_rate_hz, LOW)
    rows = len(fast) // MEL.grid_samples
    grid = np.empty((rows, GRID_BANDS), dtype=np.int16)
    first = 0
    for group in BAND_GROUPS:
        own = slow if group.slow else fast
        for row in range(0, rows, _SLICE):
            starts = np.arange(row, min(rows, row + _SLICE)) * group.grid_samples
            levels = spectral.group_levels(own, np.minimum(starts, len(own)), group)
            grid[row : row + _SLICE, first : first + group.bands] = np.round(levels * GRID_STEPS_PER_DB)
        first += group.bands
    return grid
