"""The seam distances compare what sounds on both sides of a seam, and what the loops of A let expect.

Music repeats itself. Where a song resembles itself some time earlier, that earlier time says what comes
next: the *echo* of an end is what followed, in the song so far, the moments that this end resembles most; the
echo of a start is, likewise, what must have come before it, by what its song goes on with. An echo against
what is really there is worth more than any likeness of the frames next to the cut: it knows the phase of the
beat and the place in the loop, and from `_CONTEXT_S` of song also the place in the bar and in the phrase.

Nothing is read across the cut that is asked about: of A's song what comes before A's end, of B's what follows
B's start.

Both sides of every comparison have one layout, so that all distances are sums of absolute differences.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from model.base.stored_rows import StoredRows, in_slices
from model.features.spectra import MEL_BANDS, SEMITONES, SPECTRUM_FRAMES, SPECTRUM_HOP_S

_FLOOR_DB = -80.0
"""What is softer than this is nobody's: dither, codec noise."""
ECHO_FRAMES = 32
"""How far past the cut an echo tells: 0.74 s."""
ECHO_NEAR_FRAMES = 8
"""The first of these stand in a group of their own."""
ECHO_BANDS = MEL_BANDS // 2
_CONTEXT_S = 24.0
"""The longest lag at which an end looks back on its song, and a start ahead: eight bars and more."""
_SHORTEST_LAG = 8
"""Lags below 0.19 s are no beat; a sound resembles itself a moment earlier anyway."""
_LONGEST_LAG = round(_CONTEXT_S / SPECTRUM_HOP_S)
HEARD_FRAMES = 90
"""A lag is judged by the frames next to the cut, 2.1 s, the nearest most."""
HEARD_DECAY_FRAMES = 30.0
LEAST_KNOWN = 0.05
"""A lag counts where at least this share of what it is judged by is known."""
SHARPNESS = 8.0
"""Lags count by exp(-this * their distance in dB): the best few."""
FURTHEST_DB = 1.0
"""Lags that are further than this from the best have a share of less than a thousandth, and none."""
WINDOW_FRAMES = 2
"""A frame's window is two hops long: so far apart are the frames on both sides of a cut."""
SEAM_STEPS_PER_DB = 16
NO_LAG_DB = 30.0
"""What finds itself nowhere differs by this much, and nothing by more."""

_HEAVIEST = 127
"""Weights are whole numbers up to this."""
_HALVINGS = 2
"""Differences of lags are counted in quarters of a dB, so that their weighed sum fits into 32 bits."""
_NEAR = (1, 4, 12)
_HARMONY = (1, 12)
SEAM_GROUPS = {
    "echo of the song after, near": ECHO_NEAR_FRAMES * ECHO_BANDS,
    "echo of the song after, far": (ECHO_FRAMES - ECHO_NEAR_FRAMES) * ECHO_BANDS,
    "echo of the song before, near": ECHO_NEAR_FRAMES * ECHO_BANDS,
    "echo of the song before, far": (ECHO_FRAMES - ECHO_NEAR_FRAMES) * ECHO_BANDS,
    **{f"mel, {frames} frames": MEL_BANDS for frames in _NEAR},
    **{f"semitones, {frames} frames": SEMITONES for frames in _HARMONY},
    "mel, mean": MEL_BANDS,
    "mel, spread": MEL_BANDS,
    "level": 1,
}
"""Distances by name, each with the number of values that it sums over, in the order of a side's values."""
BEST_LAG = sum(SEAM_GROUPS.values())
"""Where a side has, after all that is compared, by how much the lag that its echo is most of differs."""
SEAM_VALUES = BEST_LAG + 1
_ECHO_VALUES = ECHO_FRAMES * ECHO_BANDS
_AFTER, _BEFORE = slice(0, _ECHO_VALUES), slice(_ECHO_VALUES, 2 * _ECHO_VALUES)
_PLAIN = slice(2 * _ECHO_VALUES, BEST_LAG)
_BOUNDS = np.concatenate([[0], np.cumsum(list(SEAM_GROUPS.values()))]).astype(np.int64)
_Int16Array = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeamSides:
    """What there is to compare of N chunks: `(N, SEAM_VALUES)` int16 each, `SEAM_STEPS_PER_DB` steps in a dB.

    ends: as predecessors. starts: as successors. What is an echo in one is what really sounds in the other.
    """

    ends: _Int16Array | StoredRows
    starts: _Int16Array | StoredRows

    def take(self, rows: IntArray) -> "SeamSides":
        """Return those of some chunks, in this order."""
        return SeamSides(ends=self.ends[rows], starts=self.starts[rows])

    def distances_db(self, reference: int, candidates: IntArray | None = None) -> FloatArray:
        """Return `(n, len(SEAM_GROUPS))` float32: mean difference in dB by group, end of one to each start.

        candidates: rows; all N when None. `IndexError` when one of them is none; `PoolError` where
        stored rows cannot be read.
        """
        rows = np.arange(len(self.starts)) if candidates is None else candidates
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self.starts)):
            raise IndexError(f"candidates are not all among the {len(self.starts)} chunks")
        found = np.empty((len(rows), len(SEAM_GROUPS)), dtype=np.float32)
        end = self.ends[reference]
        for part, starts, places in in_slices(self.starts, rows):
            _mean_differences(end, starts, places, _BOUNDS, found[part])
        return found


def seam_sides(spectra: npt.NDArray[np.floating], spans_s: DoubleArray, *, apart_s: float = 0.0) -> SeamSides:
    """Return what is compared of the N chunks of one song, in its order.

    spectra: `(N, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)` of any float type, head and tail as
    `model.features.spectra.chunk_spectra` returns them. spans_s: `(N, 2)` where what is
    known of each begins and ends in its song, in seconds. apart_s: time between the end of what is known of a
    chunk and the start of what is known of the next; 0 where chunks are whole.
    """
    if spans_s.shape != (len(spectra), 2):
        raise ValueError(f"spans of shape {spans_s.shape} for {len(spectra)} chunks")
    ends = np.empty((len(spectra), SEAM_VALUES), dtype=np.int16)
    starts = np.empty((len(spectra), SEAM_VALUES), dtype=np.int16)
    coarse = np.empty((len(spectra), 2, SPECTRUM_FRAMES, ECHO_BANDS), dtype=np.int16)
    for row, sides in enumerate(spectra):
        head, tail = _levels(sides)
        coarse[row] = _steps(np.stack([_coarse(head), _coarse(tail)]))
        # Seen from the cut outwards, a tail is what a head is, played backwards.
        ends[row, _PLAIN], starts[row, _PLAIN] = _plain(tail[::-1]), _plain(head)
    spans = spans_s / SPECTRUM_HOP_S
    apart = WINDOW_FRAMES + round(apart_s / SPECTRUM_HOP_S)
    starts[:, BEST_LAG] = _fill_echoes(
        coarse[:, 0], coarse[:, 1], spans, apart, starts[:, _BEFORE], starts[:, _AFTER]
    )
    # So is a song of ends one of starts.
    backwards = coarse[::-1, :, ::-1]
    ends[::-1, BEST_LAG] = _fill_echoes(
        backwards[:, 1],
        backwards[:, 0],
        -spans[::-1, ::-1],
        apart,
        ends[::-1, _AFTER],
        ends[::-1, _BEFORE],
    )
    return SeamSides(ends=ends, starts=starts)


def seam_terms(distances_db: FloatArray) -> FloatArray:
    """Return `(n, 3 * len(SEAM_GROUPS))` float32, what a linear score is made of; higher = nearer."""
    bounded = np.maximum(distances_db, 0)
    return np.concatenate([-bounded, -np.sqrt(bounded + 1e-3), -np.log(bounded + 0.05)], axis=1)


def _levels(sides: npt.NDArray[np.floating]) -> FloatArray:
    return np.maximum(np.asarray(sides, dtype=np.float32), _FLOOR_DB)


def _coarse(frames: FloatArray) -> FloatArray:
    wide = MEL_BANDS // ECHO_BANDS
    # Written out, as a mean over a last axis of two takes NumPy thirty times as long.
    coarse = np.zeros((len(frames), ECHO_BANDS), dtype=np.float32)
    for band in range(wide):
        coarse += frames[:, band:MEL_BANDS:wide]
    coarse /= np.float32(wide)
    return coarse


def _plain(outwards: FloatArray) -> _Int16Array:
    """Return all values of one side but its echoes, from its frames, the one next to the cut first."""
    mel = outwards[:, :MEL_BANDS]
    tones = outwards[:, MEL_BANDS : MEL_BANDS + SEMITONES]
    values = [
        *(mel[:frames].mean(axis=0) for frames in _NEAR),
        *(tones[:frames].mean(axis=0) for frames in _HARMONY),
        mel.mean(axis=0),
        mel.std(axis=0),
        [mel.mean()],
    ]
    return _steps(np.concatenate(values))


def _steps(levels_db: FloatArray) -> _Int16Array:
    steps: _Int16Array = np.rint(levels_db * SEAM_STEPS_PER_DB).astype(np.int16)
    return steps


def _fill_echoes(
    heads: _Int16Array,
    tails: _Int16Array,
    spans: DoubleArray,
    apart: int,
    echoes: _Int16Array,
    there: _Int16Array,
) -> _Int16Array:
    """Write the echo of each start of a song, and what sounds there; return `(N,)` steps of the best lags.

    heads, tails: `(N, SPECTRUM_FRAMES, ECHO_BANDS)` in steps, in the order of time; spans: `(N, 2)` frames.
    apart: frames between the first of a side and the first across its cut. echoes, there: `(N, values)`.
    """
    frames = np.empty((_LONGEST_LAG + HEARD_FRAMES, ECHO_BANDS), dtype=np.int16)
    known = np.empty(len(frames), dtype=np.bool_)
    echo = np.empty((ECHO_FRAMES, ECHO_BANDS), dtype=np.float32)
    best_db = np.empty(len(heads))
    heads, tails = np.ascontiguousarray(heads), np.ascontiguousarray(tails)
    spans = np.ascontiguousarray(spans)
    for row in range(len(heads)):
        _lay_out(heads, tails, spans, row, frames, known)
        best_db[row] = _fill_echo(frames, known, apart, echo)
        echoes[row] = np.rint(echo).astype(np.int16).ravel()
        there[row] = frames[:ECHO_FRAMES].ravel()
    return _steps(np.minimum(best_db, NO_LAG_DB))


@kernel
def _lay_out(
    heads: _Int16Array,
    tails: _Int16Array,
    spans: DoubleArray,
    row: int,
    frames: _Int16Array,
    known: BoolArray,
) -> None:
    """Lay out what a song goes on with from the start of a chunk: its frames, and which of them are known.

    Heads are framed from their start and tails from their end, so that each is moved by half a frame at most;
    a chunk that is longer than both has a hole in its middle.
    """
    side = heads.shape[1]
    known[:] = False
    frames[:side] = heads[row]
    for chunk in range(row, len(heads)):
        begins, ends = spans[chunk, 0] - spans[row, 0], spans[chunk, 1] - spans[row, 0]
        if begins >= len(frames):
            return
        # A short chunk does not have all frames of a side.
        count = min(side, int(ends - begins + 1e-6))
        last = round(ends) - WINDOW_FRAMES
        for back in range(count):
            place = last - back
            if 0 <= place < len(frames):
                frames[place] = tails[chunk, side - 1 - back]
                known[place] = True
        first = round(begins)
        for frame in range(min(count, len(frames) - first)):
            frames[first + frame] = heads[chunk, frame]
            known[first + frame] = True


@kernel
def _fill_echo(frames: _Int16Array, known: BoolArray, apart: int, echo: FloatArray) -> float:
    """Tell what lies across the cut from how a song repeats itself on this side; return the best lag's dB.

    frames: the one next to the cut first. Frame `i` across the cut is, one lag further inside, frame
    `lag - apart - i` of this side. Infinite where no lag is known.
    """
    bands = frames.shape[1]
    unlike = np.empty(_LONGEST_LAG)
    _compare_lags(frames, known, unlike)
    best = np.inf
    for across in range(len(echo)):
        first = max(_SHORTEST_LAG, apart + across)
        least = np.inf
        for lag in range(first, _LONGEST_LAG):
            if known[lag - apart - across]:
                least = min(least, unlike[lag])
        best = min(best, least)
        shares = 0.0
        echo[across] = 0.0
        for lag in range(first, _LONGEST_LAG):
            inside = lag - apart - across
            if known[inside] and unlike[lag] - least < FURTHEST_DB:
                share = np.exp(-SHARPNESS * (unlike[lag] - least))
                shares += share
                for band in range(bands):
                    echo[across, band] += share * frames[inside, band]
        for band in range(bands):
            # Nothing of this side lies a lag inside: its own end is the best guess.
            echo[across, band] = echo[across, band] / shares if shares > 0 else frames[0, band]
    return best


# Slices of equal length and sums at 32 bits: only so are these loops turned into vector instructions, which
# take a twelfth of the time. Rows are read where they stand, not copied first.


@kernel
def _compare_lags(frames: _Int16Array, known: BoolArray, unlike: DoubleArray) -> None:
    """Say by how many dB the frames next to the cut differ from those of each lag; infinite if not known."""
    bands = frames.shape[1]
    values = HEARD_FRAMES * bands
    flat, there = frames.ravel(), np.empty(frames.size, dtype=np.int16)
    weights = np.empty(values, dtype=np.int32)
    full = np.int64(0)
    for frame in range(len(frames)):
        there[frame * bands : (frame + 1) * bands] = known[frame]
    for frame in range(HEARD_FRAMES):
        weight = np.int32(round(_HEAVIEST * np.exp(-frame / HEARD_DECAY_FRAMES)))
        full += weight * bands
        weights[frame * bands : (frame + 1) * bands] = weight if known[frame] else 0
    unlike[:] = np.inf
    for lag in range(_SHORTEST_LAG, _LONGEST_LAG):
        ours, theirs = flat[:values], flat[lag * bands : lag * bands + values]
        counts = there[lag * bands : lag * bands + values]
        total, heard = np.int32(0), np.int32(0)
        for value in range(len(weights)):
            weight = np.int32(weights[value] * np.int32(counts[value]))
            difference = np.int32(np.int32(ours[value]) - np.int32(theirs[value]))
            total = np.int32(total + np.int32(weight * np.int32(np.int32(abs(difference)) >> _HALVINGS)))
            heard = np.int32(heard + weight)
        if heard >= LEAST_KNOWN * full:
            unlike[lag] = total * (2.0**_HALVINGS / SEAM_STEPS_PER_DB) / heard


@kernel
def _mean_differences(
    end: _Int16Array, starts: _Int16Array, rows: IntArray, bounds: IntArray, found: FloatArray
) -> None:
    for place in range(len(rows)):
        for group in range(len(bounds) - 1):
            first, stop = bounds[group], bounds[group + 1]
            ours, theirs = end[first:stop], starts[rows[place], first:stop]
            total = np.int32(0)
            for value in range(len(ours)):
                difference = np.int32(np.int32(ours[value]) - np.int32(theirs[value]))
                total = np.int32(total + np.int32(abs(difference)))
            found[place, group] = total / (SEAM_STEPS_PER_DB * (stop - first))
