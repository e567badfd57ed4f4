"""The metric `product` is the probability that two distributions agree, exactly, however small it is."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import ModelError
from stream.index.metrics import METRICS
from stream.index.vector_index import EmbeddingIndex

WIDEST = METRICS["product"].widest


def distributions(count: int, classes: int, seed: int, sharpness: float = 4.0) -> FloatArray:
    """Logarithms of probabilities, `(count, classes)`."""
    logits = sharpness * np.random.default_rng(seed).normal(size=(count, classes))
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def agreement(ends: FloatArray, starts: FloatArray) -> DoubleArray:
    """The same by multiplication."""
    found: DoubleArray = np.exp(ends.astype(np.float64)) @ np.exp(starts.astype(np.float64)).T
    return found


def restored(index: EmbeddingIndex) -> tuple[FloatArray, FloatArray]:
    """The logarithms that the quantised rows stand for."""
    ends, starts = (
        (side[:, : index.width].astype(np.float32) - 127) / 16
        for side in (index.predecessors, index.successors)
    )
    return ends, starts


@given(
    count=st.integers(1, 30),
    classes=st.sampled_from([1, 2, 15, 16, 17, 148, WIDEST]),
    sharpness=st.floats(0.0, 9.0),
    seed=st.integers(0, 99),
)
def test_scores_are_the_logarithm_of_the_sum_of_products(
    count: int, classes: int, sharpness: float, seed: int
) -> None:
    ends, starts = (distributions(count, classes, seed + side, sharpness) for side in (0, 100))
    index = EmbeddingIndex.quantised(ends, starts, metric="product", key="")
    reference = seed % count
    exact = np.log(agreement(*restored(index))[reference])
    np.testing.assert_allclose(index.scores(reference), exact, rtol=1e-5, atol=1e-6)
    unrounded = np.log(agreement(np.maximum(ends, -15.875), np.maximum(starts, -15.875))[reference])
    np.testing.assert_allclose(index.scores(reference), unrounded, atol=1 / 16 + 1e-5)


def test_small_probabilities_are_told_apart() -> None:
    ends = np.array([[np.log(1e-6), np.log(1 - 1e-6)]], dtype=np.float32).repeat(3, axis=0)
    likely = np.array([1e-3, 1e-4, 1e-5])
    starts = np.log(np.stack([1 - likely, likely], axis=1)).astype(np.float32)
    scores = EmbeddingIndex.quantised(ends, starts, metric="product", key="").scores(0)
    np.testing.assert_allclose(np.exp(scores), likely + 1e-6, rtol=0.1)


def test_what_is_more_likely_than_certain_is_certain() -> None:
    ones = np.ones((2, WIDEST), dtype=np.float32)
    index = EmbeddingIndex.quantised(ones, ones, metric="product", key="")
    np.testing.assert_allclose(index.scores(0), np.log(WIDEST), rtol=1e-6)
    never = EmbeddingIndex.quantised(-1e6 * ones, -1e6 * ones, metric="product", key="")
    np.testing.assert_allclose(never.scores(0), np.log(WIDEST) - 2 * 15.875, rtol=1e-3)


def test_the_same_distribution_has_likeness_one_and_others_less() -> None:
    logs = distributions(30, 21, 5)
    index = EmbeddingIndex.quantised(logs, logs, metric="product", key="")
    lengths = index.lengths()
    assert lengths is not None
    alike = np.stack([np.exp(index.scores(row)) / (lengths * lengths[row]) for row in range(30)])
    kept = restored(index)[1]
    norms = np.linalg.norm(np.exp(kept), axis=1)
    np.testing.assert_allclose(alike, agreement(kept, kept) / np.outer(norms, norms), rtol=1e-4)
    np.testing.assert_allclose(np.diag(alike), 1.0, rtol=1e-5)


def test_a_thousand_classes_are_kept_and_read_again(tmp_path: Path) -> None:
    ends, starts = distributions(50, WIDEST, 1), distributions(50, WIDEST, 2)
    index = EmbeddingIndex.quantised(ends, starts, metric="product", key="k")
    index.write(tmp_path / "vectors")
    again = EmbeddingIndex.open(tmp_path / "vectors", chunks=50, key="k")
    np.testing.assert_array_equal(again.scores(7), index.scores(7))
    with pytest.raises(ModelError, match=f"at most {WIDEST}"):
        EmbeddingIndex.quantised(
            distributions(2, WIDEST + 1, 0), distributions(2, WIDEST + 1, 0), metric="product", key=""
        )
