"""Seams are drawn anywhere in songs, in batches, and both their sides are varied."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from model.features import spectra as spectral
from model.features.spectra import SPECTRUM_FLOOR_DB
from model.learning.song_set import GRID_S, GridArray
from model.learning.song_sides import sides

CENTRE_DB = 3.0
"""Standard deviation of the level and tone that both sides of all seams of a song share."""


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
