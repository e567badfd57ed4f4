"""Errors are shares of the power of what followed, and the correlation is that of the index."""

import numpy as np
import pytest

from model.approaches.forecast.measures import Foretold, correlations, forecast_figures
from model.base.arrays import FloatArray
from model.learning.calibration import ScoredSongs
from stream.index.vector_index import EmbeddingIndex


@pytest.mark.parametrize("width", [1, 3, 7, 20, 64])
def test_the_correlation_is_that_of_the_index(width: int) -> None:
    rng = np.random.default_rng(width)
    ends, starts = rng.normal(size=(2, 12, width)).astype(np.float32)
    starts[3] = np.roll(ends[2], 3)
    index = EmbeddingIndex.quantised(ends, starts, metric="correlation", key="")
    found = correlations(ends, starts)
    scores = np.stack([index.scores(row) for row in range(12)])
    # The index keeps 8 bits of each value.
    np.testing.assert_allclose(found, scores, atol=0.03)


def _foretold(**said: FloatArray) -> Foretold:
    values = {"forecast": 1.0, "last_value": 0.0, "linear": 3.0, **said}
    ahead = {name: np.full((4, 5, 2), value, np.float32) for name, value in values.items()}
    return Foretold(known=np.zeros((4, 9, 2), np.float32), truth=np.full((4, 5, 2), 2, np.float32), **ahead)


def test_who_foretells_nothing_misses_all_of_the_power() -> None:
    song = np.repeat([0, 1], 5)
    logits = np.eye(10, k=1, dtype=np.float32)
    figures = forecast_figures(_foretold(), ScoredSongs(logits=logits, song=song))
    assert (figures.error, figures.last_value, figures.linear) == (0.25, 1.0, 0.25)
    assert (figures.chunks, figures.mrr, figures.auc_same, figures.auc_cross) == (10, 1.0, 1.0, 1.0)
    alone = ScoredSongs(logits=np.zeros((2, 2), np.float32), song=np.arange(2))
    figures = forecast_figures(_foretold(), alone)
    assert (figures.mrr, figures.auc_same, figures.auc_cross) == (0.0, 0.5, 0.5)
