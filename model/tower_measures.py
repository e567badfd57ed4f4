"""What towers are worth: where the true successor stands among all chunks of songs, and how likely it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.kernels import BoolArray, DoubleArray, FloatArray, IntArray
from model.tower_data import GridArray, equal_chunks, sides
from model.tower_networks import Towers

CHUNK_S = 3.0
GAP_S = 0.05
"""Missing on each side of a cut when it is measured: what is left is music, not a waveform running on."""
MOST_CHUNKS = 1_000
BATCH = 128


@dataclass(frozen=True, kw_only=True)
class SuccessorRanks:
    """Figures of one set of songs, cut into chunks of `CHUNK_S`, `GAP_S` missing on each side of each cut."""

    chunks: int
    top_1: float
    top_10: float
    mrr: float
    """Mean of 1 / rank."""
    auc_same: float
    """Against chunks of the same song; mean of the songs. 0.5 where there are none."""
    auc_cross: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """All chunks of some songs against all."""

    logits: FloatArray
    """`(N, N)`: row = predecessor."""
    song: IntArray

    @property
    def true_pairs(self) -> BoolArray:
        """`(N, N)`: whether the column follows the row in its song."""
        follows = np.zeros(self.logits.shape, dtype=np.bool_)
        rows = np.flatnonzero(self.song[:-1] == self.song[1:])
        follows[rows, rows + 1] = True
        return follows


def score_songs(towers: Towers, grids: Sequence[GridArray], gap_s: float = GAP_S) -> Scored:
    """Score the chunks of songs; of many songs the first of each, `MOST_CHUNKS` in all or 4 of each."""
    most = max(4, MOST_CHUNKS // max(1, len(grids)))
    ends, starts, song = [], [], []
    for number, grid in enumerate(grids):
        heads, tails, lengths = (values[:most] for values in equal_chunks(len(grid), CHUNK_S, gap_s))
        if len(heads):
            starts.append(_embedded(towers.starts, sides(grid, heads, lengths, tail=False)))
            ends.append(_embedded(towers.ends, sides(grid, tails, lengths, tail=True)))
            song.append(np.full(len(heads), number))
    if not song:
        return Scored(logits=np.zeros((0, 0), np.float32), song=np.zeros(0, np.int64))
    return Scored(logits=np.concatenate(ends) @ np.concatenate(starts).T, song=np.concatenate(song))


def rank_successors(scored: Scored) -> SuccessorRanks | None:
    """Return the figures; None when no chunk has a successor. Ties count half."""
    song = scored.song
    rows = np.flatnonzero(song[:-1] == song[1:])
    if len(rows) == 0:
        return None
    true = scored.logits[rows, rows + 1][:, None]
    # 1 where a wrong candidate stands above the true one, 1/2 where level.
    above = (scored.logits[rows] > true) + 0.5 * (scored.logits[rows] == true)
    wrong = np.ones_like(above, dtype=np.bool_)
    wrong[np.arange(len(rows)), rows] = wrong[np.arange(len(rows)), rows + 1] = False
    rank = 1 + (above * wrong).sum(axis=1)
    same = song[rows][:, None] == song[None]
    return SuccessorRanks(
        chunks=len(song),
        top_1=float((rank < 2).mean()),
        top_10=float((rank < 11).mean()),
        mrr=float((1 / rank).mean()),
        auc_same=_mean_auc(above, wrong & same, song[rows]),
        auc_cross=_mean_auc(above, wrong & ~same, song[rows]),
    )


def calibrate(scored: Scored) -> dict[str, float]:
    """Return `scale` and `offset` of logistic regression on true and wrong pairs (Platt, 1999).

    True pairs weigh as much as all wrong ones together, and wrong ones of the same song as much as those of
    others, so that 1/2 is where one cannot tell. `{"scale": 1, "offset": 0}` without true pairs.
    """
    follows = scored.true_pairs
    same = (scored.song[:, None] == scored.song[None]) & ~follows & ~np.eye(len(follows), dtype=np.bool_)
    cross = scored.song[:, None] != scored.song[None]
    weight = np.zeros(follows.shape)
    kinds = [(follows, 0.5), *((kind, 0.25) for kind in (same, cross) if kind.any())]
    for kind, share in kinds:
        weight[kind] = share / max(1, kind.sum())
    if not follows.any() or len(kinds) == 1:
        return {"scale": 1.0, "offset": 0.0}
    return _logistic(scored.logits.ravel().astype(np.float64), follows.ravel(), weight.ravel())


def _logistic(logits: DoubleArray, true: BoolArray, weight: DoubleArray) -> dict[str, float]:
    """Weighted logistic regression of one variable, by Newton's method with a small ridge."""
    chosen = weight > 0
    x, y, w = logits[chosen], true[chosen].astype(np.float64), weight[chosen] / weight.sum()
    centre, spread = float((w * x).sum()), float(max(1e-6, np.sqrt((w * (x - (w * x).sum()) ** 2).sum())))
    design = np.stack([(x - centre) / spread, np.ones_like(x)])
    coefficients = np.zeros(2)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(coefficients @ design, -30, 30)))
        gradient = design @ (w * (y - probability)) - 1e-4 * coefficients
        curvature = (design * (w * probability * (1 - probability))) @ design.T + 1e-4 * np.eye(2)
        change = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + np.clip(change, -4, 4)
        if np.abs(change).max() < 1e-9:
            break
    scale = coefficients[0] / spread
    return {"scale": float(scale), "offset": float(coefficients[1] - scale * centre)}


def _mean_auc(above: DoubleArray, against: BoolArray, song: IntArray) -> float:
    count = against.sum(axis=1)
    asked = count > 0
    if not asked.any():
        return 0.5
    area = 1 - (above * against).sum(axis=1)[asked] / count[asked]
    return float(np.mean([area[song[asked] == number].mean() for number in np.unique(song[asked])]))


def _embedded(tower: Any, spectra: FloatArray) -> FloatArray:
    parts = [
        np.asarray(tower.predict_on_batch(spectra[row : row + BATCH]))
        for row in range(0, len(spectra), BATCH)
    ]
    return np.concatenate(parts)
