"""Averages run over queries and songs, with intervals from drawing songs, not chunks, anew."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, IntArray

RESAMPLES = 2_000
INTERVAL = 0.95
_FEWEST_SONGS = 2


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its interval; the interval is the figure itself where there is one song only."""

    value: float
    low: float
    high: float


class Averages:
    """Averages and their intervals over the songs of the queries."""

    def __init__(self, query_song: IntArray, resamples: int, seed: int) -> None:
        self._songs, self._song_of = np.unique(query_song, return_inverse=True)
        self._weights = song_weights(len(self._songs), resamples, seed)
        self.per_song: dict[str, DoubleArray] = {}

    def ranks(
        self,
        name: str,
        above: DoubleArray,
        level: DoubleArray,
        among: DoubleArray,
        *,
        area_right: DoubleArray | None = None,
    ) -> dict[str, Estimate]:
        """Return the metrics of a pool from what stands above and level with the true one; {} if empty.

        above, level, among: `(queries,)`, wrong candidates that score higher, equal, and in all.
        """
        held = among > 0
        if not held.any():
            return {}
        metrics = {
            "auc": self._by_song(
                f"{name}/auc", area(above, level, among) if area_right is None else area_right, held
            )
        }
        expected = {
            "top_1": np.clip((1 - above) / (level + 1), 0, 1),
            "top_10": np.clip((10 - above) / (level + 1), 0, 1),
            "mrr": (_harmonic(above + level + 1) - _harmonic(above)) / (level + 1),
            "normalised_rank": (above + level / 2) / np.maximum(among, 1),
            "candidates": among + 1,
        }
        return metrics | {
            metric: self.queries(f"{name}/{metric}", value, held) for metric, value in expected.items()
        }

    def queries(self, name: str, values: DoubleArray, held: BoolArray) -> Estimate:
        """Return the mean over the queries where `held`."""
        return self._keep(name, values[held], self._song_of[held])

    def estimate(self, name: str, values: DoubleArray, songs: IntArray) -> Estimate:
        """Return the mean of values, each of a song by its number."""
        return self._keep(name, values, np.searchsorted(self._songs, songs))

    def _by_song(self, name: str, values: DoubleArray, held: BoolArray) -> Estimate:
        """Return the mean over songs of the mean over their queries."""
        sums, counts = self._sums(values[held], self._song_of[held])
        there = (counts > 0).astype(np.float64)
        self.per_song[name] = np.stack([sums / np.maximum(counts, 1), there])
        return drawn_estimate(ratio(self.per_song[name], self._weights))

    def _keep(self, name: str, values: DoubleArray, song_of: IntArray) -> Estimate:
        self.per_song[name] = np.stack(self._sums(values, song_of))
        return drawn_estimate(ratio(self.per_song[name], self._weights))

    def _sums(self, values: DoubleArray, song_of: IntArray) -> tuple[DoubleArray, DoubleArray]:
        songs = len(self._songs)
        sums = np.bincount(song_of, values, minlength=songs).astype(np.float64)
        return sums, np.bincount(song_of, minlength=songs).astype(np.float64)


def song_weights(songs: int, resamples: int, seed: int) -> DoubleArray:
    """Return `(1 + resamples, songs)`: how often each song is drawn; the first row is each song once."""
    once = np.ones((1, songs))
    if songs < _FEWEST_SONGS:
        return once
    drawn = np.random.default_rng(seed).multinomial(songs, np.full(songs, 1 / songs), size=resamples)
    return np.concatenate([once, drawn])


def ratio(sums: DoubleArray, weights: DoubleArray) -> DoubleArray:
    """Return the average under each row of weights; draws in which no song counts repeat the first."""
    total, count = weights @ sums[0], weights @ sums[1]
    count = np.where(count > 0, count, np.nan)
    average: DoubleArray = total / count
    return np.where(np.isnan(average), average[0], average)


def drawn_estimate(drawn: DoubleArray) -> Estimate:
    """Return the first of `(draws,)` figures, and the interval that the others span."""
    tail = (1 - INTERVAL) / 2
    low, high = np.quantile(drawn[1:] if len(drawn) > 1 else drawn, [tail, 1 - tail])
    return Estimate(value=float(drawn[0]), low=float(low), high=float(high))


def area(above: DoubleArray, level: DoubleArray, among: DoubleArray) -> DoubleArray:
    """Return the area under the ROC curve of one right candidate against `among` wrong ones."""
    right: DoubleArray = 1 - (above + level / 2) / np.maximum(among, 1)
    return right


def _harmonic(count: DoubleArray) -> DoubleArray:
    """Return 1 + 1/2 + ... + 1/count of each of `(n,)` whole numbers."""
    upto = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(count.max()) + 1))])
    sums: DoubleArray = upto[count.astype(np.int64)]
    return sums
