"""This module draws rows of true and false pairs from the order of the songs."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import ModelError

TRUE_SPAN = 2
"""The report calls a chunk's next two chunks true successors."""
MIN_CHUNKS = TRUE_SPAN + 2
"""Fewest chunks from which a false successor can be drawn for each."""
SAME_SONG_SHARE = 0.35
"""Share of the false pairs of `contrast_pairs` that stay in the song, the harder question."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of rows of the chunk table, in no particular order.

    predecessors, candidates: `(n,)` int64 rows; labels: `(n,)` float32, 1 for a true pair, 0 for a false one.
    """

    predecessors: IntArray
    candidates: IntArray
    labels: FloatArray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: IntArray) -> "Pairs":
        """Return the pairs at `rows`, in that order."""
        return Pairs(
            predecessors=self.predecessors[rows], candidates=self.candidates[rows], labels=self.labels[rows]
        )

    def sample(self, most: int, rng: np.random.Generator) -> "Pairs":
        """Return at most `most` of the pairs, drawn without replacement, in their order."""
        if len(self) <= most:
            return self
        return self.take(np.sort(rng.choice(len(self), most, replace=False)))


def song_bounds(chunk_song: IntArray) -> tuple[IntArray, IntArray]:
    """Return for each row the first row of its song and the row past its last, each `(N,)` int64.

    chunk_song: `(N,)` int64; the rows of a song stand together.
    """
    border = np.flatnonzero(np.diff(chunk_song)) + 1
    starts = np.concatenate([[0], border])
    stops = np.concatenate([border, [len(chunk_song)]])
    lengths = stops - starts
    return np.repeat(starts, lengths), np.repeat(stops, lengths)


def binary_pairs(chunk_song: IntArray, rng: np.random.Generator) -> Pairs:
    """Return the report's pairs (section 2.2): each chunk with its next two, and with two random others.

    chunk_song: `(N,)` int64, the song of each row. False successors come from all rows but the true ones,
    so a chunk may be drawn as its own. The report laid its songs end to end, so that the last chunks of a
    song had the first of the next as true successors; here a true pair never leaves its song.
    Raises `ModelError` when the rows are too few to draw from.
    """
    if len(chunk_song) < MIN_CHUNKS:
        raise ModelError(
            f"pairs need at least {MIN_CHUNKS} chunks, the songs have {len(chunk_song)}; "
            "add music to the pool, or cut it shorter"
        )
    rows = np.arange(len(chunk_song), dtype=np.int64)
    _, stop = song_bounds(chunk_song)
    steps = [rows[rows + step < stop] for step in range(1, TRUE_SPAN + 1)]
    near = np.concatenate(steps)
    nearby = np.concatenate([first + step for step, first in enumerate(steps, start=1)])
    far = np.repeat(rows, 2)
    random = _draw_outside(
        np.zeros_like(far),
        np.full_like(far, len(rows)),
        far + 1,
        np.minimum(far + 1 + TRUE_SPAN, stop[far]),
        rng,
    )
    return _labelled(near, nearby, far, random)


def contrast_pairs(
    chunk_song: IntArray,
    rng: np.random.Generator,
    *,
    repeats: int = 1,
    same_song_share: float = SAME_SONG_SHARE,
) -> Pairs:
    """Return each chunk `repeats` times with its next one, and as often with a false one.

    chunk_song: `(N,)` int64. False ones are never the chunk itself or its next two; a share
    `same_song_share` of them comes from the same song, the others from another one. Where a song (or the
    pool) has none of that kind, the other kind takes its place.
    Raises `ModelError` when there is no true pair, or no false one.
    """
    start, stop = song_bounds(chunk_song)
    rows = np.arange(len(chunk_song), dtype=np.int64)
    true = np.repeat(rows[rows + 1 < stop], repeats)
    if len(true) == 0:
        raise ModelError(
            "no song has two chunks, so nothing shows what follows what; "
            "add longer songs to the pool, or cut them shorter"
        )
    inside, outside = _choices_inside(true, start, stop), len(rows) - (stop[true] - start[true])
    if np.any(inside + outside == 0):
        raise ModelError(
            f"one song of {len(rows)} chunks is too little to draw false pairs from; add music to the pool"
        )
    stay = (rng.random(len(true)) < same_song_share) & (inside > 0) | (outside == 0)
    candidates = np.empty_like(true)
    candidates[stay] = draw_same_song(true[stay], start, stop, rng)
    candidates[~stay] = draw_other_song(true[~stay], start, stop, rng)
    return _labelled(true, true + 1, true, candidates)


def draw_same_song(rows: IntArray, start: IntArray, stop: IntArray, rng: np.random.Generator) -> IntArray:
    """Return for each row a random row of its song that is neither itself nor one of its next two.

    start, stop: as `song_bounds` gives them. Every song of `rows` must have such a row.
    """
    return _draw_outside(start[rows], stop[rows], rows, np.minimum(rows + 1 + TRUE_SPAN, stop[rows]), rng)


def draw_other_song(rows: IntArray, start: IntArray, stop: IntArray, rng: np.random.Generator) -> IntArray:
    """Return for each row a random row of another song; there must be one."""
    return _draw_outside(np.zeros_like(rows), np.full_like(rows, len(start)), start[rows], stop[rows], rng)


def draw_any(rows: IntArray, start: IntArray, stop: IntArray, rng: np.random.Generator) -> IntArray:
    """Return for each row a random row that is neither itself nor one of its next two; there must be one."""
    return _draw_outside(
        np.zeros_like(rows),
        np.full_like(rows, len(start)),
        rows,
        np.minimum(rows + 1 + TRUE_SPAN, stop[rows]),
        rng,
    )


def rows_with_choice(chunk_song: IntArray) -> IntArray:
    """Return the rows that have a true successor and, in their song, a false one."""
    start, stop = song_bounds(chunk_song)
    rows = np.arange(len(chunk_song), dtype=np.int64)
    rows = rows[rows + 1 < stop]
    return rows[_choices_inside(rows, start, stop) > 0]


def split_songs(
    chunk_song: IntArray, share: float, rng: np.random.Generator, fresh: BoolArray | None = None
) -> BoolArray:
    """Return `(N,)` bool: True for the chunks of songs that training never sees.

    share: of the songs, in [0, 1); at least one song is kept back when it is above 0, and one left to train.
    fresh: `(N,)`, whether a chunk's song may be kept back; None: every one may.
    """
    songs = np.unique(chunk_song)
    if share <= 0:
        return np.zeros(len(chunk_song), dtype=np.bool_)
    count = min(max(1, round(share * len(songs))), len(songs) - 1)
    drawn = rng.permutation(songs)
    if fresh is not None:
        drawn = drawn[np.isin(drawn, chunk_song[fresh])]
    return np.isin(chunk_song, drawn[:count])


def _choices_inside(rows: IntArray, start: IntArray, stop: IntArray) -> IntArray:
    excluded = np.minimum(rows + 1 + TRUE_SPAN, stop[rows]) - rows
    choices: IntArray = np.subtract(stop[rows] - start[rows], excluded, dtype=np.int64)
    return choices


def _draw_outside(
    low: IntArray, high: IntArray, hole_start: IntArray, hole_stop: IntArray, rng: np.random.Generator
) -> IntArray:
    """Draw uniformly from [low, high) less [hole_start, hole_stop), without trying again."""
    hole = np.maximum(hole_stop - hole_start, 0)
    drawn: IntArray = rng.integers(low, high - hole, dtype=np.int64)
    past = drawn >= hole_start
    drawn[past] += hole[past]
    return drawn


def _labelled(near: IntArray, nearby: IntArray, far: IntArray, random: IntArray) -> Pairs:
    return Pairs(
        predecessors=np.concatenate([near, far]),
        candidates=np.concatenate([nearby, random]),
        labels=np.concatenate([np.ones(len(near), np.float32), np.zeros(len(far), np.float32)]),
    )
