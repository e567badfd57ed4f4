"""The ordering puts pieces into the order whose neighbours score highest in sum."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray


def ordering_right(
    scores: FloatArray, successor: IntArray, rows: IntArray, pieces: int
) -> tuple[IntArray, DoubleArray]:
    """Return the windows of `pieces` chunks in a row, and how surely each is put back in order.

    scores: `(N, N)`; successor: `(N,)`; rows: `(n,)` chunks at which a window may start. Every window whose
    chunks follow each other is asked; windows overlap. Its order is the permutation with the highest sum of
    scores from each piece to the next (found exactly, by dynamic programming over sets: Held and Karp, 1962),
    and it is right when all pieces are where they were. Where several permutations share the highest sum, it
    counts as one over their number, which is what drawing among them is worth.
    Returns `(windows,)` int64 first chunks and `(windows,)` float64 in [0, 1].
    """
    chunks = _windows(successor, rows, pieces)
    if len(chunks) == 0:
        return np.empty(0, np.int64), np.empty(0)
    between = scores[chunks[:, :, None], chunks[:, None, :]].astype(np.float64)
    best, ways = _best_paths(between)
    true = between[:, 0, 1].copy()
    for piece in range(1, pieces - 1):
        true += between[:, piece, piece + 1]
    return chunks[:, 0], (true == best) / ways


def _windows(successor: IntArray, rows: IntArray, pieces: int) -> IntArray:
    """Return `(windows, pieces)` chunks: each row and what follows it, where all are there."""
    chunks = np.empty((len(rows), pieces), dtype=np.int64)
    chunks[:, 0] = rows
    for piece in range(1, pieces):
        before = chunks[:, piece - 1]
        chunks[:, piece] = np.where(before >= 0, successor[np.maximum(before, 0)], -1)
    windows: IntArray = chunks[(chunks >= 0).all(axis=1)]
    return windows


def _best_paths(between: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return the highest sum of a path through all pieces, and how many paths reach it, for each window.

    between: `(windows, n, n)` float64. Sums of up to seven float32 of like size are exact in float64, and are
    formed in the order of the path, so that equal sums are found equal.
    """
    windows, pieces, _ = between.shape
    full = (1 << pieces) - 1
    best = np.full((full + 1, pieces, windows), -np.inf)
    ways = np.zeros((full + 1, pieces, windows))
    for piece in range(pieces):
        best[1 << piece, piece] = 0.0
        ways[1 << piece, piece] = 1.0
    for visited in range(1, full + 1):
        members = [piece for piece in range(pieces) if visited >> piece & 1]
        if len(members) == 1:
            continue
        for last in members:
            before = [piece for piece in members if piece != last]
            rest = visited & ~(1 << last)
            reached = best[rest, before] + between[:, before, last].T
            top = reached.max(axis=0)
            best[visited, last] = top
            ways[visited, last] = np.sum(ways[rest, before] * (reached == top), axis=0)
    top = best[full].max(axis=0)
    return top, np.sum(ways[full] * (best[full] == top), axis=0)
