"""These figures say how well scores rank what really follows, by AUC, hits, reciprocal ranks and order.

AUC is averaged within each song, then over songs; whatever counts ranks or orders is averaged over queries.
Equal scores are broken at random, that is: a figure is its expectation over all ways to break them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.base.errors import EndlosError
from model.base.kernels import kernel
from tools.quality.ranking.averages import (
    RESAMPLES,
    Averages,
    Estimate,
    area,
    drawn_estimate,
    ratio,
    song_weights,
)
from tools.quality.ranking.ordering import ordering_right

POOLS = ("all", "cross", "same", "near")
"""Whole library; other songs; the same song; the same song, at most `NEAR_CHUNKS` away."""
NEAR_CHUNKS = 8
PIECES = (3, 4, 6, 8)


@dataclass(frozen=True, kw_only=True, eq=False)
class RankingFigures:
    """What scores are worth.

    pools: by name (`POOLS`), then by metric: `auc`, `top_1`, `top_10`, `mrr`, `normalised_rank` (0: always
    first, 0.5: chance, 1: always last), `candidates` (mean number that the true one is ranked among).
    tie_aware: the same where candidates near-identical to the true successor count as right; None if not
    asked for. ceiling: what an oracle reaches that cannot tell these from the true one; None likewise.
    order: score(A, B) > score(B, A). ordering: by number of pieces, share of windows put in order exactly.
    per_song: by name (`all/top_1`), `(2, S)` sums and counts, for `difference`.
    """

    queries: int
    candidates: int
    songs: int
    pools: dict[str, dict[str, Estimate]]
    tie_aware: dict[str, dict[str, Estimate]] | None
    ceiling: dict[str, dict[str, Estimate]] | None
    order: Estimate | None
    ordering: dict[int, Estimate]
    per_song: MappingProxyType[str, DoubleArray]

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold: each estimate as `[value, low, high]`."""
        return {
            "queries": self.queries,
            "candidates": self.candidates,
            "songs": self.songs,
            "pools": _plain(self.pools),
            "tie_aware": None if self.tie_aware is None else _plain(self.tie_aware),
            "ceiling": None if self.ceiling is None else _plain(self.ceiling),
            "order": None if self.order is None else _triple(self.order),
            "ordering": {str(pieces): _triple(found) for pieces, found in self.ordering.items()},
        }


def ranking_figures(
    scores: FloatArray,
    song: IntArray,
    successor: IntArray,
    *,
    queries: BoolArray | None = None,
    duplicates: BoolArray | None = None,
    pieces: Sequence[int] = PIECES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> RankingFigures:
    """Measure `(N, N)` scores, row = predecessor, column = candidate, higher = better; may be memory-mapped.

    song, successor: `(N,)` int64, chunks of a song side by side and in order; successor -1 where none.
    queries: `(N,)` bool, rows that ask; all that have a successor when None. Candidates are all N but the
    query itself. duplicates: `(N, N)` bool, symmetric: which chunks begin nearly alike.
    `EndlosError` when nothing can be asked or a score is not a number.
    """
    asked = successor >= 0
    if queries is not None:
        asked &= queries
    rows = np.flatnonzero(asked)
    if len(rows) == 0:
        raise EndlosError(
            "there is no chunk that is followed by another; songs of two chunks or more are needed"
        )
    counted = _counts(scores, song, successor, rows, duplicates)
    average = Averages(song[rows], resamples, seed)
    pools, tie_aware, ceiling = {}, {}, {}
    for number, name in enumerate(POOLS):
        above, level, among, right = counted[:, number, :4].T
        pools[name] = average.ranks(name, above, level, among)
        if duplicates is not None:
            tie_above, tie_level, tie_below_true, tie_level_true, wrong = counted[:, number, 4:].T
            tie_aware[name] = average.ranks(
                f"tie/{name}",
                tie_above,
                tie_level,
                wrong,
                area_right=area(wrong - tie_below_true - tie_level_true, tie_level_true, wrong),
            )
            # An oracle puts all right ones first, in no order of their own.
            ceiling[name] = average.ranks(f"ceiling/{name}", np.zeros(len(rows)), right, among)
    forth = scores[rows, successor[rows]].astype(np.float64)
    back = scores[successor[rows], rows].astype(np.float64)
    order = average.queries("order", (forth > back) + 0.5 * (forth == back), np.ones(len(rows), np.bool_))
    ordering = {}
    for count in pieces:
        starts, right = ordering_right(scores, successor, rows, count)
        if len(starts):
            ordering[count] = average.estimate(f"ordering/{count}", right, song[starts])
    return RankingFigures(
        queries=len(rows),
        candidates=len(song) - 1,
        songs=len(np.unique(song[rows])),
        pools=pools,
        tie_aware=tie_aware or None,
        ceiling=ceiling or None,
        order=order,
        ordering=ordering,
        per_song=MappingProxyType(average.per_song),
    )


def difference(
    better: RankingFigures, worse: RankingFigures, name: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return `better` minus `worse` in one figure (`all/top_1`), songs drawn alike for both.

    The interval of a difference is far narrower than two intervals suggest: hard songs are hard for both.
    Both must have been asked about the same songs; `ValueError` otherwise.
    """
    one, other = better.per_song[name], worse.per_song[name]
    if one.shape != other.shape or not np.array_equal(one[1] > 0, other[1] > 0):
        raise ValueError(f"{name} was measured on {one.shape[1]} and {other.shape[1]} songs")
    weights = song_weights(one.shape[1], resamples, seed)
    return drawn_estimate(ratio(one, weights) - ratio(other, weights))


def _counts(
    scores: FloatArray, song: IntArray, successor: IntArray, rows: IntArray, duplicates: BoolArray | None
) -> DoubleArray:
    """Return `(queries, pools, 9)` counts; row by row, so that memory is bounded."""
    counted = np.zeros((len(rows), len(POOLS), 9), dtype=np.float64)
    nobody = np.zeros(len(song), dtype=np.bool_)
    for place, row in enumerate(rows):
        of_row = np.ascontiguousarray(scores[row], dtype=np.float32)
        if np.isnan(of_row).any():
            raise EndlosError(
                f"the scores after chunk {row} are not all numbers; this scorer cannot be measured"
            )
        alike = nobody if duplicates is None else np.ascontiguousarray(duplicates[successor[row]])
        _count_row(of_row, song, int(row), int(successor[row]), alike, counted[place])
    return counted


@kernel
def _count_row(
    scores: FloatArray, song: IntArray, row: int, true: int, alike: BoolArray, counted: DoubleArray
) -> None:
    """Fill `(pools, 9)` counts of one query.

    0 above, 1 level, 2 among: wrong ones against the true one, near-identical ones counted as wrong.
    3 right: near-identical ones. With these right: 4 above, 5 level: wrong ones against the best right one;
    6 below, 7 level: wrong ones against the true one; 8 wrong ones in all.
    """
    best = np.full(4, scores[true])
    for other in range(len(scores)):
        if alike[other] and other != row and other != true:
            for pool in range(4):
                if _belongs(pool, song, row, other):
                    counted[pool, 3] += 1
                    best[pool] = max(best[pool], scores[other])
    for other in range(len(scores)):
        if other in (row, true):
            continue
        for pool in range(4):
            if not _belongs(pool, song, row, other):
                continue
            counted[pool, 2] += 1
            if scores[other] > scores[true]:
                counted[pool, 0] += 1
            elif scores[other] == scores[true]:
                counted[pool, 1] += 1
            if alike[other]:
                continue
            counted[pool, 8] += 1
            if scores[other] > best[pool]:
                counted[pool, 4] += 1
            elif scores[other] == best[pool]:
                counted[pool, 5] += 1
            if scores[other] < scores[true]:
                counted[pool, 6] += 1
            elif scores[other] == scores[true]:
                counted[pool, 7] += 1


@kernel
def _belongs(pool: int, song: IntArray, row: int, other: int) -> bool:
    if pool == 0:
        return True
    if pool == 1:
        return bool(song[other] != song[row])
    return bool(song[other] == song[row] and (pool == 2 or abs(other - row) <= NEAR_CHUNKS))


def _triple(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.low, estimate.high]


def _plain(pools: dict[str, dict[str, Estimate]]) -> dict[str, dict[str, list[float]]]:
    return {
        name: {metric: _triple(found) for metric, found in metrics.items()} for name, metrics in pools.items()
    }
