"""These measures say how far forecasts are from what followed, beside trivial ones, and how they rank."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model.base.arrays import FloatArray
from model.learning.calibration import ScoredSongs
from model.learning.successors import SuccessorRanks, rank_successors
from model.saved.scoring import CORRELATION_SHIFT


@dataclass(frozen=True, kw_only=True)
class ForecastFigures(SuccessorRanks):
    """Figures of one set of songs, and where the successor stands.

    Errors are shares of the power of what followed: 1 says nothing.
    """

    error: float
    last_value: float
    """Error of who says that all stays as it was last."""
    linear: float
    """Error of linear prediction."""

    def brief(self) -> str:
        """Return the error, and where the successor stands."""
        return f"error {self.error:.3f}, MRR {self.mrr:.3f}, AUC same song {self.auc_same:.3f}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Foretold:
    """Some forecasts: what was known, what followed, and what was said; the last axis but one is time.

    known: `(n, steps before, values)`, the others `(n, steps, values)`, float32.
    """

    known: FloatArray
    truth: FloatArray
    forecast: FloatArray
    last_value: FloatArray
    linear: FloatArray

    def errors(self) -> dict[str, float]:
        """Return the three errors of `ForecastFigures`."""
        power = max(float(np.mean(np.square(self.truth, dtype=np.float64))), 1e-12)
        return {
            name: float(np.mean(np.square(getattr(self, column) - self.truth, dtype=np.float64))) / power
            for name, column in (("error", "forecast"), ("last_value", "last_value"), ("linear", "linear"))
        }


def forecast_figures(foretold: Foretold, scored: ScoredSongs) -> ForecastFigures:
    """Return the figures of forecasts and of scores; those of ranks say nothing where no chunk follows."""
    ranks = rank_successors(scored) or SuccessorRanks.of_none(len(scored.song))
    errors: dict[str, Any] = foretold.errors()
    return ForecastFigures(**asdict(ranks), **errors)


def correlations(forecasts: FloatArray, heads: FloatArray) -> FloatArray:
    """Return `(n, m)` float32: metric `correlation` (`stream.index.metrics`) of each with each.

    forecasts: `(n, samples)`; heads: `(m, samples)`.
    """
    width = forecasts.shape[1]
    most_shift = min(CORRELATION_SHIFT, width // 4)
    best = np.full((len(forecasts), len(heads)), -1.0, dtype=np.float32)
    for shift in range(-most_shift, most_shift + 1):
        here, there = forecasts[:, max(0, -shift) : width - max(0, shift)], heads[:, max(0, shift) :]
        there = there[:, : here.shape[1]]
        np.maximum(best, _unit(here) @ _unit(there).T, out=best)
    return best


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = rows / np.maximum(lengths, np.float32(1e-12))
    return unit
