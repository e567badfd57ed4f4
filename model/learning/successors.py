"""These measures say where the true successor ranks among all chunks of songs, and how likely it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.learning.calibration import ScoredSongs
from model.learning.song_set import GridArray
from model.learning.song_sides import equal_chunks, sides

_CHUNK_S = 3.0
MEASURED_GAP_S = 0.05
"""So much is missing beside each measured cut that no waveform runs on across it."""
_MOST_CHUNKS = 1_000
_BATCH = 128
RANK_COLUMNS = ("chunks", "top 1", "top 10", "MRR", "AUC same song", "AUC other songs")
"""What heads the `SuccessorRanks.cells` of a table."""


@dataclass(frozen=True, kw_only=True)
class SuccessorRanks:
    """Figures of one set of songs, in chunks of `_CHUNK_S`, `MEASURED_GAP_S` missing beside each cut."""

    chunks: int
    top_1: float
    top_10: float
    mrr: float
    """Mean of 1 / rank."""
    auc_same: float
    """AUC against chunks of the same song, averaged over songs; 0.5 where there are none."""
    auc_cross: float

    @classmethod
    def of_none(cls, chunks: int) -> "SuccessorRanks":
        """Return the figures of chunks of which none has a successor: they say nothing."""
        return SuccessorRanks(chunks=chunks, top_1=0.0, top_10=0.0, mrr=0.0, auc_same=0.5, auc_cross=0.5)

    def cells(self) -> tuple[object, ...]:
        """Return the figures as they stand in a table, below `RANK_COLUMNS`."""
        ranks = (self.top_1, self.top_10, self.mrr, self.auc_same, self.auc_cross)
        return (self.chunks, *(f"{figure:.3f}" for figure in ranks))

    def brief(self) -> str:
        """Return where the successor stands."""
        return f"first {self.top_1:.3f}, in ten {self.top_10:.3f}, AUC same song {self.auc_same:.3f}"


def told_share(share: float | None) -> str:
    """Return a share as it stands in a table; None: of nothing."""
    return "-" if share is None else f"{share:.3f}"


def score_songs(
    ends: Any, starts: Any, grids: Sequence[GridArray], gap_s: float = MEASURED_GAP_S
) -> ScoredSongs:
    """Score the chunks of songs; of many songs the first of each, `_MOST_CHUNKS` in all or 4 of each.

    ends, starts: Keras models, tails or heads `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` -> `(n, values)`.
    """
    most = max(4, _MOST_CHUNKS // max(1, len(grids)))
    found: list[tuple[FloatArray, FloatArray]] = []
    song = []
    for number, grid in enumerate(grids):
        heads, tails, lengths = (values[:most] for values in equal_chunks(len(grid), _CHUNK_S, gap_s))
        if len(heads):
            found.append(
                (
                    _embedded(ends, sides(grid, tails, lengths, tail=True)),
                    _embedded(starts, sides(grid, heads, lengths, tail=False)),
                )
            )
            song.append(np.full(len(heads), number))
    if not song:
        return ScoredSongs(logits=np.zeros((0, 0), np.float32), song=np.zeros(0, np.int64))
    of_ends, of_starts = (np.concatenate(side) for side in zip(*found, strict=True))
    return ScoredSongs(logits=of_ends @ of_starts.T, song=np.concatenate(song))


def rank_successors(scored: ScoredSongs) -> SuccessorRanks | None:
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


def successor_ranks(scored: Mapping[str, ScoredSongs]) -> dict[str, SuccessorRanks]:
    """Return the figures of each set that has a chunk with a successor."""
    ranks = {name: rank_successors(value) for name, value in scored.items()}
    return {name: value for name, value in ranks.items() if value is not None}


def _mean_auc(above: DoubleArray, against: BoolArray, song: IntArray) -> float:
    count = against.sum(axis=1)
    asked = count > 0
    if not asked.any():
        return 0.5
    area = 1 - (above * against).sum(axis=1)[asked] / count[asked]
    return float(np.mean([area[song[asked] == number].mean() for number in np.unique(song[asked])]))


def _embedded(tower: Any, spectra: FloatArray) -> FloatArray:
    parts = [
        np.asarray(tower.predict_on_batch(spectra[row : row + _BATCH]))
        for row in range(0, len(spectra), _BATCH)
    ]
    return np.concatenate(parts)
