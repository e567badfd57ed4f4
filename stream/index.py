"""The edge index: every chunk's edges preloaded as a struct of arrays, with kernels over all candidates."""

from dataclasses import dataclass

import numpy as np

from model.errors import ModelError
from model.features import EDGE_RATE_HZ
from model.kernels import BoolArray, FloatArray, IntArray, kernel
from stream.pool import Pool

BANDS = 12
FLOOR_DB = -80.0
NO_SUCCESSOR = -1
NEVER = -1
"""`last_played` of a chunk that has not been played."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeIndex:
    """The chunks of a pool as candidates; row = chunk, in pool order.

    heads, tails: `(N, edge_samples)` float32, first channel, contiguous.
    head_bands_db, tail_bands_db: `(N, BANDS)` float32, level of each edge in logarithmically spaced bands.
    song, successor: `(N,)` int64; `successor` is -1 after a song's last chunk.
    """

    heads: FloatArray
    tails: FloatArray
    head_bands_db: FloatArray
    tail_bands_db: FloatArray
    song: IntArray
    successor: IntArray

    @classmethod
    def from_pool(cls, pool: Pool, edge_samples: int) -> "EdgeIndex":
        """Preload edges of `edge_samples`; `ModelError` when the pool keeps shorter ones."""
        if edge_samples > pool.edge_samples:
            raise ModelError(
                f"the model needs edges of {edge_samples / EDGE_RATE_HZ:.2f} s and {pool.folder} keeps "
                f"{pool.edge_s:.2f} s; build the pool again with a longer --edge-s, or use another model"
            )
        heads = np.ascontiguousarray(pool.heads[:, 0, :edge_samples])
        tails = np.ascontiguousarray(pool.tails[:, 0, pool.edge_samples - edge_samples :])
        return cls(
            heads=heads,
            tails=tails,
            head_bands_db=band_levels_db(heads),
            tail_bands_db=band_levels_db(tails),
            song=pool.chunk_song,
            successor=pool.successors(),
        )

    def __len__(self) -> int:
        return len(self.song)

    @property
    def edge_samples(self) -> int:
        """Length of an edge, in samples at `EDGE_RATE_HZ`."""
        return int(self.heads.shape[1])

    def distances_db(self, reference: int) -> FloatArray:
        """Return `(N,)` float32: mean difference in dB by band, tail of `reference` to each head."""
        self._check_row(reference)
        return _mean_abs_difference(self.tail_bands_db[reference], self.head_bands_db)

    def playable(self, last_played: IntArray, now: int, window: int, banned: BoolArray) -> BoolArray:
        """Return `(N,)` bool: not banned, and not played within the last `window` steps before `now`.

        last_played: `(N,)` int64, the step at which each chunk was played last, or `NEVER`.
        banned: `(N,)` bool.
        """
        if len(last_played) != len(self) or len(banned) != len(self):
            raise ValueError(f"last_played and banned must have {len(self)} rows")
        return _playable(last_played, np.int64(now), np.int64(window), banned)

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self):
            raise IndexError(f"chunk {row} is not one of the {len(self)} chunks")


def top(scores: FloatArray, mask: BoolArray, count: int) -> IntArray:
    """Return the rows of the `count` highest scores where `mask` holds, best first; ties by lower row.

    scores: `(N,)` float32 without NaN; mask: `(N,)` bool. Fewer rows come back when fewer are allowed.
    """
    if scores.shape != mask.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and mask {mask.shape} must be of one length")
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1")
    return _top(np.ascontiguousarray(scores, dtype=np.float32), mask, np.int64(min(count, len(scores))))


def rank_of(scores: FloatArray, mask: BoolArray, row: int) -> int:
    """Return the rank of `row` among the allowed rows: 1 is the best score."""
    return int(np.count_nonzero(mask & (scores > scores[row]))) + 1


def band_levels_db(edges: FloatArray) -> FloatArray:
    """Return `(N, BANDS)` float32: level of each edge in bands from 40 Hz to half the edge rate, in dB.

    edges: `(N, edge_samples)` float32. Computed in slices, so that memory stays bounded.
    """
    samples = edges.shape[1]
    window = np.hanning(samples).astype(np.float32)
    frequencies_hz = np.fft.rfftfreq(samples, 1.0 / EDGE_RATE_HZ)
    borders_hz = np.geomspace(40.0, EDGE_RATE_HZ / 2, BANDS + 1)
    band_of_bin = np.clip(np.digitize(frequencies_hz, borders_hz) - 1, -1, BANDS - 1)
    membership = (band_of_bin[:, None] == np.arange(BANDS)).astype(np.float32)
    levels = np.empty((len(edges), BANDS), dtype=np.float32)
    slice_rows = 1024
    for first in range(0, len(edges), slice_rows):
        spectrum = np.abs(np.fft.rfft(edges[first : first + slice_rows] * window, axis=1)) / samples
        power = (spectrum**2).astype(np.float32) @ membership
        levels[first : first + slice_rows] = 10.0 * np.log10(power + 10.0 ** (FLOOR_DB / 10.0))
    return levels


@kernel
def _mean_abs_difference(reference: FloatArray, rows: FloatArray) -> FloatArray:
    count, width = rows.shape
    result = np.empty(count, dtype=np.float32)
    for row in range(count):
        total = np.float32(0.0)
        for column in range(width):
            total += abs(reference[column] - rows[row, column])
        result[row] = total / np.float32(width)
    return result


@kernel
def _playable(last_played: IntArray, now: np.int64, window: np.int64, banned: BoolArray) -> BoolArray:
    count = len(last_played)
    result = np.empty(count, dtype=np.bool_)
    for row in range(count):
        recent = last_played[row] >= 0 and now - last_played[row] <= window
        result[row] = not (recent or banned[row])
    return result


@kernel
def _top(scores: FloatArray, mask: BoolArray, count: np.int64) -> IntArray:
    # Insertion into a short sorted list: one pass, and almost every row fails the first comparison.
    rows = np.empty(count, dtype=np.int64)
    filled = 0
    for row in range(len(scores)):
        if not mask[row]:
            continue
        if filled == count and scores[row] <= scores[rows[filled - 1]]:
            continue
        if filled < count:
            filled += 1
        place = filled - 1
        while place > 0 and scores[rows[place - 1]] < scores[row]:
            rows[place] = rows[place - 1]
            place -= 1
        rows[place] = row
    return rows[:filled]
