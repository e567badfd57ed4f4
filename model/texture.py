"""The texture of the music at both ends of a chunk: its rhythm and its tone.

Of all that was tried these tell best which two songs are heard to be two where they meet: another rhythm
before all, then another tone (docs/joins.md has the figures).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.kernels import FloatArray, IntArray, kernel
from model.spectral import MEL_BANDS

TEXTURE_VERSION = 1
"""Changes with the values that `textures` returns."""
SHORTEST_LAG, LONGEST_LAG = 4, 60
"""A rhythm is how attacks recur after so many frames: 0.09 to 1.4 s."""
SMOOTHED_FRAMES = 15
REACH_FRAMES = 64
"""A tone is that of the 1.5 s next to the cut."""
FLOOR_DB = -80.0

_RHYTHM = LONGEST_LAG - SHORTEST_LAG
TEXTURE_VALUES = _RHYTHM + MEL_BANDS
DISTANCES = ("rhythm", "tone")


@dataclass(frozen=True, kw_only=True, eq=False)
class Textures:
    """What there is to compare of N chunks: `(N, TEXTURE_VALUES)` float32 each."""

    ends: FloatArray
    starts: FloatArray

    def distances(self, reference: int, candidates: IntArray | None = None) -> FloatArray:
        """Return `(n, 2)` float32 of the end of one against starts (rows; all N when None), see `DISTANCES`.

        rhythm: 1 - the correlation of both, 0 to 2. tone: mean difference of the bands in dB.
        """
        rows = np.arange(len(self.starts)) if candidates is None else candidates
        found = np.empty((len(rows), len(DISTANCES)), dtype=np.float32)
        _compare(self.ends[reference], self.starts, rows, found)
        return found


def textures(spectra: npt.NDArray[np.floating]) -> FloatArray:
    """Return `(2, N, TEXTURE_VALUES)` float32: of the ends and of the starts of N chunks.

    spectra: `(N, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)` of any float type, head and tail as
    `model.spectral.chunk_spectra` returns them; may be memory-mapped.
    """
    found = np.empty((2, len(spectra), TEXTURE_VALUES), dtype=np.float32)
    for row in range(len(spectra)):
        head, tail = np.maximum(np.asarray(spectra[row, :, :, :MEL_BANDS], dtype=np.float32), FLOOR_DB)
        found[0, row] = _texture(tail, tail[-REACH_FRAMES:])
        found[1, row] = _texture(head, head[:REACH_FRAMES])
    return found


def _texture(mel: FloatArray, near: FloatArray) -> FloatArray:
    tone = near.mean(axis=0)
    # How loud a song is is not its tone.
    return np.concatenate([_rhythm(mel), tone - tone.mean()])


def _rhythm(mel: FloatArray) -> FloatArray:
    """Return how the attacks recur, `(_RHYTHM,)` of mean 0 and length 1; zeros where there are none."""
    rise = np.maximum(np.diff(mel, axis=0), 0.0).mean(axis=1)
    attacks = np.maximum(rise - np.convolve(rise, np.ones(SMOOTHED_FRAMES) / SMOOTHED_FRAMES, "same"), 0.0)
    attacks -= attacks.mean()
    recurring = np.correlate(attacks, attacks, "full")[len(attacks) - 1 :][SHORTEST_LAG:LONGEST_LAG]
    recurring = recurring - recurring.mean()
    length = float(np.sqrt(np.square(recurring).sum()))
    return (recurring / length if length > 1e-6 else np.zeros(_RHYTHM)).astype(np.float32)


@kernel
def _compare(end: FloatArray, starts: FloatArray, rows: IntArray, found: FloatArray) -> None:
    for place in range(len(rows)):
        start = starts[rows[place]]
        common = np.float32(0.0)
        for value in range(_RHYTHM):
            common += end[value] * start[value]
        apart_db = np.float32(0.0)
        for band in range(_RHYTHM, _RHYTHM + MEL_BANDS):
            apart_db += abs(end[band] - start[band])
        found[place, 0] = np.float32(1.0) - common
        found[place, 1] = apart_db / np.float32(MEL_BANDS)
