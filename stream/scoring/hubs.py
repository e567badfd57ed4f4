"""Hubs are chunks that a model likes after whatever is played; they are measured on sampled rows.

What counts is how much better a candidate is after this chunk than after others (the mean of its best scores:
cross-domain similarity local scaling, Conneau et al. 2018, on the candidates' side).
"""

from collections.abc import Callable

import numpy as np

from model.base.arrays import FloatArray

MOST_SAMPLES = 128
LEAST_SAMPLES = 32
_MOST_SCORES = 32_000_000
"""In a pool so large that even the fewest samples take more, hubs are left as they are."""
BEST_SHARE = 0.1


def sample_rows(chunks: int) -> list[int]:
    """Return the rows to be sampled, evenly spread over a pool; none in one that is too large."""
    count = min(MOST_SAMPLES, chunks, _MOST_SCORES // max(1, chunks))
    if count < min(LEAST_SAMPLES, chunks):
        return []
    return np.linspace(0, chunks - 1, count).round().astype(int).tolist()  # type: ignore[no-any-return]


def hub_levels(logits_of: Callable[[int], FloatArray], chunks: int) -> FloatArray:
    """Return `(N,)` float32: by how many log-odds each chunk is liked more than the mean chunk.

    logits_of: returns the logits of all `N` candidates after a row, `(N,)`.
    """
    rows = sample_rows(chunks)
    if not rows:
        return np.zeros(chunks, dtype=np.float32)
    best_count = max(1, round(BEST_SHARE * len(rows)))
    # Only the best of each candidate are kept, so that memory stays bounded.
    best = np.full((2 * best_count, chunks), -np.inf, dtype=np.float32)
    filled = 0
    for row in rows:
        best[filled] = logits_of(row)
        filled += 1
        if filled == len(best):
            best.partition(best_count, axis=0)
            best = np.concatenate([best[best_count:], best[:best_count]])
            filled = best_count
    kept = np.sort(best[:filled], axis=0)[-best_count:]
    levels: FloatArray = kept.mean(axis=0, dtype=np.float32)
    levels -= levels.mean(dtype=np.float64).astype(np.float32)
    return levels
