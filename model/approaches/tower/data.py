"""The towers' batches cut songs anywhere, vary both sides, and read them from each song's grid.

A song's spectra are computed once, on a grid of a quarter of a hop; the side of a chunk is then a matter of
picking rows, wherever the cut is, so that gaps, pitch, speed and tone can be drawn anew in every batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
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
from model.learning.song_set import GRID_S, GRID_STEPS_PER_DB, GridArray, SongSet

MOST_SEMITONES = 12
CENTRE_DB = 3.0
"""Standard deviation of the level and tone that both sides of all seams of a song share."""
DUPLICATE_FRAMES = 16
DUPLICATE_DB = 4.0
"""Heads of a song that differ by less, on average over their first frames, are the same music again."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How a seam is varied, so that what is learned is music and not its recording."""

    gap_s: float = 0.07
    """Longest piece that is missing on each side of a cut, the same at all cuts of a song."""
    gain_db: float = 0.7
    """Standard deviation of the level of each side, apart."""
    tone_db: float = 0.5
    """Standard deviation of a smooth curve over frequency, of each side, apart."""
    semitones: int = 4
    """A song is moved in pitch by at most this."""
    speed_octaves: float = 0.06
    """A song is played faster or slower by at most this."""
    shortest_s: float = 2.2
    longest_s: float = 4.1
    """Length of the chunks that a song is cut into: one length at a time, so that beats wander over cuts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seams:
    """Cuts of several songs: `tails[i]` ends where `heads[i]` begins."""

    tails: FloatArray
    """`(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` float32, dB."""
    heads: FloatArray
    song: IntArray
    """`(n,)` which song of the batch."""


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


def draw_seams(
    grids: Sequence[GridArray],
    rng: np.random.Generator,
    variation: Variation,
    *,
    songs: int,
    seams_per_song: int,
) -> Seams:
    """Return varied seams of some songs, each cut into equal chunks from a random place on.

    `ModelError` when no song is long enough to be cut.
    """
    chosen = rng.permutation(len(grids))
    tails: list[FloatArray] = []
    heads: list[FloatArray] = []
    song: list[IntArray] = []
    for number in chosen:
        if len(tails) == songs:
            break
        cuts, length = _random_cuts(len(grids[number]), rng, variation, seams_per_song)
        if len(cuts) < 2:
            continue
        gap = int(rng.integers(0, round(variation.gap_s / GRID_S) + 1))
        lengths = np.full(len(cuts), max(1, length - 2 * gap))
        speed = float(2 ** rng.uniform(-variation.speed_octaves, variation.speed_octaves))
        semitones = int(rng.integers(-variation.semitones, variation.semitones + 1))
        shared = _tones(rng, 1, CENTRE_DB, CENTRE_DB)
        for tail, into in ((True, tails), (False, heads)):
            at = cuts - gap if tail else cuts + gap
            side = sides(grids[number], at, lengths, tail=tail, speed=speed, semitones=semitones)
            side += (shared + _tones(rng, len(cuts), variation.gain_db, variation.tone_db))[:, None]
            into.append(np.maximum(side, SPECTRUM_FLOOR_DB, out=side))
        song.append(np.full(len(cuts), len(song)))
    if not tails:
        raise ModelError(
            f"none of {len(grids)} songs lasts {3 * variation.longest_s:.0f} s, so that there is nothing to "
            "learn from; build the pool from longer songs"
        )
    return Seams(tails=np.concatenate(tails), heads=np.concatenate(heads), song=np.concatenate(song))


def add_judged(seams: Seams, songs: SongSet, rng: np.random.Generator, most: int) -> Seams:
    """Return `seams` and those of up to `most` judged joins, each join as a song of its own.

    A liked join is a seam like any other. A disliked one brings the two seams that it was made of, so that
    its start is a wrong candidate for its end, of the same song. Joins at the ends of songs are left out.
    """
    length = round(Variation.longest_s / GRID_S)
    cuts: list[tuple[int, int, int, int]] = []
    song: list[int] = []
    for number in rng.permutation(len(songs.judged))[:most].tolist():
        join = songs.judged[number]
        end, start = (join.from_song, join.from_row), (join.to_song, join.to_row)
        pairs = [(*end, *start)] if join.liked else [(*end, *end), (*start, *start)]
        rows = [(len(songs.grids[pair[0]]), pair[1]) for pair in pairs]
        rows += [(len(songs.grids[pair[2]]), pair[3]) for pair in pairs]
        if all(length // 4 <= row <= size - length // 4 for size, row in rows):
            cuts += pairs
            song += [int(seams.song.max()) + 1 + number] * len(pairs)
    if not cuts:
        return seams
    lengths = np.array([length])
    tails = [sides(songs.grids[cut[0]], np.array([cut[1]]), lengths, tail=True) for cut in cuts]
    heads = [sides(songs.grids[cut[2]], np.array([cut[3]]), lengths, tail=False) for cut in cuts]
    return Seams(
        tails=np.concatenate([seams.tails, *tails]),
        heads=np.concatenate([seams.heads, *heads]),
        song=np.concatenate([seams.song, song]),
    )


def same_music(seams: Seams) -> npt.NDArray[np.bool_]:
    """Return `(n, n)`: whether two heads of one song are so alike that each may follow the other's tail."""
    first = seams.heads[:, :DUPLICATE_FRAMES].reshape(len(seams.song), -1)
    square = np.sum(first * first, axis=1)
    mean = (square[:, None] + square[None] - 2 * (first @ first.T)) / first.shape[1]
    alike: npt.NDArray[np.bool_] = (mean < DUPLICATE_DB**2) & (seams.song[:, None] == seams.song[None])
    np.fill_diagonal(alike, False)
    return alike


def _random_cuts(
    rows: int, rng: np.random.Generator, variation: Variation, most: int
) -> tuple[IntArray, int]:
    length = int(rng.uniform(variation.shortest_s, variation.longest_s) / GRID_S)
    margin = length // 2
    cuts = np.arange(margin + rng.integers(0, length), rows - margin, length)
    if len(cuts) > most and rng.random() < 0.5:
        first = rng.integers(0, len(cuts) - most + 1)
        return cuts[first : first + most], length
    return np.sort(rng.permutation(cuts)[:most]), length


def _tones(rng: np.random.Generator, count: int, gain_db: float, tone_db: float) -> FloatArray:
    """Return `(count, SPECTRUM_BINS)` random levels, smooth over the logarithm of frequency."""
    octaves = np.log2(np.maximum(spectral.bin_hz(), 30.0) / 30.0)
    place = octaves / octaves.max() * 5
    below = np.minimum(place.astype(np.int64), 4)
    points = rng.normal(0, tone_db, (count, 6))
    curve = points[:, below] * (1 - place + below) + points[:, below + 1] * (place - below)
    levels: FloatArray = (curve + rng.normal(0, gain_db, (count, 1))).astype(np.float32)
    return levels


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
