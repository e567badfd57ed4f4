"""A texture describes the rhythm and the tone of the music at both ends of a chunk.

Rhythm first, and tone second, give away best that two songs meet at a join; nothing else that was tried did
so well (docs/joins-tried.md has the figures).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.base.kernels import kernel
from model.base.stored_rows import StoredRows, in_slices
from model.features.spectra import MEL_BANDS

_SHORTEST_LAG, _LONGEST_LAG = 4, 60
"""A rhythm is how attacks recur after so many frames: 0.09 to 1.4 s."""
SMOOTHED_FRAMES = 15
REACH_FRAMES = 64
"""A tone is that of the 1.5 s next to the cut."""
LEAST_ATTACK_DB = 0.6
"""Attacks that vary less than this are none: noise has 0.5, quiet strings 0.7, drums 1 to 5."""
_FLOOR_DB = -80.0
"""What is softer than this is not heard."""

_RHYTHM = _LONGEST_LAG - _SHORTEST_LAG
TEXTURE_VALUES = _RHYTHM + MEL_BANDS
DISTANCES = ("rhythm", "tone")


@dataclass(frozen=True, kw_only=True, eq=False)
class Textures:
    """What there is to compare of N chunks: `(N, TEXTURE_VALUES)` float32 each."""

    ends: FloatArray | StoredRows
    starts: FloatArray | StoredRows

    def take(self, rows: IntArray) -> "Textures":
        """Return those of some chunks, in this order."""
        return Textures(ends=self.ends[rows], starts=self.starts[rows])

    def distances(self, reference: int, candidates: IntArray | None = None) -> FloatArray:
        """Return `(n, 2)` float32 of the end of one against starts (rows; all N when None), see `DISTANCES`.

        rhythm: 1 - the correlation of both, 0 to 2; 0 where neither side has one, 1 where one has. tone: mean
        difference of the bands in dB. `IndexError` for rows that are not there; `PoolError` where
        stored rows cannot be read.
        """
        rows = np.arange(len(self.starts)) if candidates is None else candidates
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.starts):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self.starts)} chunks")
        found = np.empty((len(rows), len(DISTANCES)), dtype=np.float32)
        end = self.ends[reference]
        for part, starts, places in in_slices(self.starts, rows):
            _compare(end, starts, places, found[part])
        return found


def textures(spectra: npt.NDArray[np.floating]) -> Textures:
    """Return the textures of N chunks.

    spectra: `(N, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)` of any float type, head and tail as
    `model.features.spectra.chunk_spectra` returns them.
    """
    found = np.empty((2, len(spectra), TEXTURE_VALUES), dtype=np.float32)
    for row in range(len(spectra)):
        head, tail = np.maximum(np.asarray(spectra[row, :, :, :MEL_BANDS], dtype=np.float32), _FLOOR_DB)
        tail, head = tail[_first_heard(tail) :], head[: len(head) - _first_heard(head[::-1])]
        found[0, row] = np.concatenate([_rhythm(tail), _tone(tail[-REACH_FRAMES:])])
        found[1, row] = np.concatenate([_rhythm(head), _tone(head[:REACH_FRAMES])])
    return Textures(ends=found[0], starts=found[1])


def _first_heard(mel: FloatArray) -> int:
    """Return how many frames come before the first that is heard: those that a short chunk does not have."""
    heard = mel.max(axis=1) > _FLOOR_DB
    return int(heard.argmax()) if heard.any() else len(mel) - 1


def _tone(mel: FloatArray) -> FloatArray:
    """Return `(MEL_BANDS,)`: each band against their mean, as how loud a song is is not its tone."""
    tone = mel.mean(axis=0)
    found: FloatArray = tone - tone.mean()
    return found


def _rhythm(mel: FloatArray) -> FloatArray:
    """Return how the attacks recur, `(_RHYTHM,)` of mean 0 and length 1; zeros where there are none."""
    rhythm = np.zeros(_RHYTHM, dtype=np.float32)
    if len(mel) <= _LONGEST_LAG + 1:
        return rhythm
    rise = np.maximum(np.diff(mel, axis=0), 0.0).mean(axis=1)
    attacks = np.maximum(rise - np.convolve(rise, np.ones(SMOOTHED_FRAMES) / SMOOTHED_FRAMES, "same"), 0.0)
    if attacks.std() < LEAST_ATTACK_DB:
        return rhythm
    attacks -= attacks.mean()
    recurring = np.correlate(attacks, attacks, "full")[len(attacks) - 1 :][_SHORTEST_LAG:_LONGEST_LAG]
    recurring = recurring - recurring.mean()
    rhythm[:] = recurring / np.sqrt(np.square(recurring).sum())
    return rhythm


@kernel
def _compare(end: FloatArray, starts: FloatArray, rows: IntArray, found: FloatArray) -> None:
    has_rhythm = False
    for value in range(_RHYTHM):
        has_rhythm = has_rhythm or end[value] != 0.0
    for place in range(len(rows)):
        start = starts[rows[place]]
        common, own = np.float32(0.0), np.float32(0.0)
        for value in range(_RHYTHM):
            common += end[value] * start[value]
            own += start[value] * start[value]
        apart_db = np.float32(0.0)
        for band in range(_RHYTHM, _RHYTHM + MEL_BANDS):
            apart_db += abs(end[band] - start[band])
        found[place, 0] = np.float32(1.0) - common if has_rhythm or own > 0.0 else np.float32(0.0)
        found[place, 1] = apart_db / np.float32(MEL_BANDS)
