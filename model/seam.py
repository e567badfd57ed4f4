"""What sounds at a seam, compared by hand: how spectra fit, and whether B is what the loops of A predict.

Music repeats itself. Where a chunk resembles itself some time earlier, that earlier time says what comes
next: the *echo* of a tail is what followed, in the tail itself, the moment that its end resembles most; the
echo of a head is, likewise, what must have come before it. An echo against what is really there is worth more
than any likeness of the frames next to the cut: it knows the phase of the beat and the place in the loop.

Both sides of every comparison have one layout, so that all distances are sums of absolute differences.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.kernels import FloatArray, IntArray, kernel
from model.spectral import MEL_BANDS, SEMITONES, SPECTRUM_FRAMES, SPECTRUM_HOP_S

SEAM_VERSION = 1
"""Changes with the values that `seam_sides` returns."""
FLOOR_DB = -80.0
"""What is softer than this is nobody's: dither, codec noise."""
ECHO_FRAMES = 32
"""How far past the cut an echo tells: 0.74 s."""
ECHO_NEAR_FRAMES = 8
"""The first of these stand in a group of their own."""
ECHO_BANDS = MEL_BANDS // 2
SHORTEST_LAG = 8
"""Lags below 0.19 s are no beat; a sound resembles itself a moment earlier anyway."""
LONGEST_LAG = 112
SHARPNESS = 8.0
"""Lags count by exp(-this * their distance in dB): the best few."""
WINDOW_FRAMES = 2
"""A frame's window is two hops long: so far apart are the frames on both sides of a cut."""
STEPS_PER_DB = 16

_NEAR = (1, 4, 12)
_HARMONY = (1, 12)
GROUPS = {
    "echo after, near": ECHO_NEAR_FRAMES * ECHO_BANDS,
    "echo after, far": (ECHO_FRAMES - ECHO_NEAR_FRAMES) * ECHO_BANDS,
    "echo before, near": ECHO_NEAR_FRAMES * ECHO_BANDS,
    "echo before, far": (ECHO_FRAMES - ECHO_NEAR_FRAMES) * ECHO_BANDS,
    **{f"mel, {frames} frames": MEL_BANDS for frames in _NEAR},
    **{f"semitones, {frames} frames": SEMITONES for frames in _HARMONY},
    "mel, mean": MEL_BANDS,
    "mel, spread": MEL_BANDS,
    "level": 1,
}
"""Distances by name, each with the number of values that it sums over, in the order of a side's values."""
SEAM_VALUES = sum(GROUPS.values())
_BOUNDS = np.concatenate([[0], np.cumsum(list(GROUPS.values()))]).astype(np.int64)
Int16Array = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeamSides:
    """What there is to compare of N chunks: `(N, SEAM_VALUES)` int16 each, `STEPS_PER_DB` steps in a dB.

    ends: as predecessors. starts: as successors. What is an echo in one is what really sounds in the other.
    """

    ends: Int16Array
    starts: Int16Array

    def distances_db(self, reference: int, candidates: IntArray | None = None) -> FloatArray:
        """Return `(n, len(GROUPS))` float32: mean difference in dB by group, end of one to each start.

        candidates: rows; all N when None. `IndexError` when one of them is none.
        """
        rows = np.arange(len(self.starts)) if candidates is None else candidates
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self.starts)):
            raise IndexError(f"candidates are not all among the {len(self.starts)} chunks")
        found = np.empty((len(rows), len(GROUPS)), dtype=np.float32)
        _mean_differences(self.ends[reference], self.starts, rows, _BOUNDS, found)
        return found


def seam_sides(spectra: npt.NDArray[np.floating], *, apart_s: float = 0.0) -> SeamSides:
    """Return what is compared of N chunks.

    spectra: `(N, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)` of any float type, head and tail as
    `model.spectral.chunk_spectra` returns them; may be memory-mapped. apart_s: time between the end of what
    is known of a predecessor and the start of what is known of its successor; 0 where chunks are whole.
    """
    sides = np.empty((2, len(spectra), SEAM_VALUES), dtype=np.int16)
    apart = WINDOW_FRAMES + round(apart_s / SPECTRUM_HOP_S)
    for row in range(len(spectra)):
        head, tail = np.maximum(np.asarray(spectra[row], dtype=np.float32), FLOOR_DB)
        # Seen from the cut outwards, a head is what a tail is, played backwards.
        sides[0, row] = _side(tail[::-1], apart, is_end=True)
        sides[1, row] = _side(head, apart, is_end=False)
    return SeamSides(ends=sides[0], starts=sides[1])


def seam_terms(distances_db: FloatArray) -> FloatArray:
    """Return `(n, 3 * len(GROUPS))` float32, what a linear score is made of; higher = nearer."""
    bounded = np.maximum(distances_db, 0)
    return np.concatenate([-bounded, -np.sqrt(bounded + 1e-3), -np.log(bounded + 0.05)], axis=1)


def _side(outwards: FloatArray, apart: int, *, is_end: bool) -> Int16Array:
    """Return the values of one side from its frames, the one next to the cut first."""
    mel = np.ascontiguousarray(outwards[:, :MEL_BANDS])
    tones = outwards[:, MEL_BANDS : MEL_BANDS + SEMITONES]
    coarse = mel.reshape(SPECTRUM_FRAMES, ECHO_BANDS, -1).mean(axis=2)
    echo = np.empty((ECHO_FRAMES, ECHO_BANDS), dtype=np.float32)
    _fill_echo(coarse, apart, echo)
    there = coarse[:ECHO_FRAMES]
    after, before = (echo, there) if is_end else (there, echo)
    values = [
        after.ravel(),
        before.ravel(),
        *(mel[:frames].mean(axis=0) for frames in _NEAR),
        *(tones[:frames].mean(axis=0) for frames in _HARMONY),
        mel.mean(axis=0),
        mel.std(axis=0),
        [mel.mean()],
    ]
    steps: Int16Array = np.rint(np.concatenate(values) * STEPS_PER_DB).astype(np.int16)
    return steps


@kernel
def _fill_echo(frames: FloatArray, apart: int, echo: FloatArray) -> None:
    """Tell what lies across the cut from how a side repeats itself.

    frames: `(SPECTRUM_FRAMES, bands)`, the one next to the cut first; apart: frames from there to the first
    frame across. Frame `i` across the cut is, one lag further inside, frame `lag - apart - i` of this side.
    """
    count, bands = frames.shape
    unlike = np.empty(LONGEST_LAG)
    for lag in range(SHORTEST_LAG, LONGEST_LAG):
        total = 0.0
        for frame in range(count - lag):
            for band in range(bands):
                total += abs(frames[frame, band] - frames[frame + lag, band])
        unlike[lag] = total / ((count - lag) * bands)
    for across in range(len(echo)):
        first = max(SHORTEST_LAG, apart + across)
        least = np.inf
        for lag in range(first, LONGEST_LAG):
            least = min(least, unlike[lag])
        weights = 0.0
        echo[across] = 0.0
        for lag in range(first, LONGEST_LAG):
            inside = lag - apart - across
            weight = np.exp(-SHARPNESS * (unlike[lag] - least))
            weights += weight
            for band in range(bands):
                echo[across, band] += weight * frames[inside, band]
        for band in range(bands):
            # Nothing of this side lies a lag inside: its own end is the best guess.
            echo[across, band] = echo[across, band] / weights if weights > 0 else frames[0, band]


# Slices of equal length and sums at 32 bits: only so are these loops turned into vector instructions, which
# take a twelfth of the time. Rows are read where they stand, not copied first.


@kernel
def _mean_differences(
    end: Int16Array, starts: Int16Array, rows: IntArray, bounds: IntArray, found: FloatArray
) -> None:
    for place in range(len(rows)):
        for group in range(len(bounds) - 1):
            first, stop = bounds[group], bounds[group + 1]
            ours, theirs = end[first:stop], starts[rows[place], first:stop]
            total = np.int32(0)
            for value in range(len(ours)):
                difference = np.int32(np.int32(ours[value]) - np.int32(theirs[value]))
                total = np.int32(total + np.int32(abs(difference)))
            found[place, group] = total / (STEPS_PER_DB * (stop - first))
