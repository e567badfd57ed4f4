"""The scorer equals the formula of a tiny model, and refuses models that do not fit."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.base.errors import ModelError
from model.saved.carried import CONTRACT_FILE
from stream.index.graphs import open_session
from stream.pool.pool import Pool
from stream.scoring.pair_scorer import BATCH_ROWS, PairScorer
from tests.support.models import scorer_of, tiny_score, write_tiny_model
from tests.support.pools import EDGE_SAMPLES, make_pool, noise_song

EDGE = 200


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    songs = [noise_song(30, seed) for seed in range(3)]
    return make_pool(tmp_path_factory.mktemp("scorer"), songs, chunk_s=0.3)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny", EDGE)


def test_scores_are_the_models_for_every_candidate(pool: Pool, model: Path) -> None:
    scorer, index = scorer_of(model, pool)
    assert len(index) > BATCH_ROWS and len(index) % BATCH_ROWS
    for reference in (0, 7, len(index) - 1):
        expected = tiny_score(pool.tails[reference, 0, -EDGE:], pool.heads[:, 0, :EDGE])
        np.testing.assert_allclose(scorer.score(reference), expected, atol=1e-5)
        some = np.array([5, 3, 299], dtype=np.int64)
        np.testing.assert_allclose(scorer.score(reference, some), expected[some], atol=1e-5)


def test_rows_are_kept_within_their_bound(pool: Pool, model: Path) -> None:
    _, index = scorer_of(model, pool)
    session = open_session(model / "pair.onnx", threads=1)
    runs = 0

    class Counting:
        def get_inputs(self) -> object:
            return session.get_inputs()

        def run(self, *arguments: object) -> object:
            nonlocal runs
            runs += 1
            return session.run(*arguments)

    scorer = PairScorer(Counting(), index, kept_bytes=2 * 4 * len(index))
    batches = -(-len(index) // BATCH_ROWS)
    first = scorer.score(0)
    for reference, expected in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)):
        scorer.score(reference)
        assert runs == expected * batches, reference
    np.testing.assert_array_equal(scorer.score(0), first)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_an_edge_that_the_pool_does_not_keep(pool: Pool, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "long", EDGE_SAMPLES + 1)
    with pytest.raises(ModelError, match="longer --edge-s"):
        scorer_of(model, pool)


def test_a_corrupt_graph(pool: Pool, model: Path) -> None:
    (model / "pair.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="not a graph that can be run"):
        scorer_of(model, pool)


def test_a_missing_graph(pool: Pool, model: Path) -> None:
    (model / "pair.onnx").unlink()
    with pytest.raises(ModelError, match="is missing"):
        scorer_of(model, pool)


def test_tensors_other_than_promised(pool: Pool, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "other", EDGE, output="probability")
    with pytest.raises(ModelError, match="promises"):
        scorer_of(model, pool)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("scoring", "buckets", "no graph for its classes"),
        ("edge_rate_hz", 1000, "1000 Hz"),
        ("format_version", 99, "format 99"),
        ("edge_samples", 1, "at least 2 samples"),
        ("edge_samples", 7, "edges have 7 samples, and its graph sees"),
        ("graphs", {}, "no graph"),
    ],
)
def test_a_contract_that_does_not_fit(
    pool: Pool, model: Path, field: str, value: object, sentence: str
) -> None:
    path = model / CONTRACT_FILE
    contract = json.loads(path.read_text())
    contract[field] = value
    path.write_text(json.dumps(contract))
    with pytest.raises(ModelError, match=sentence):
        scorer_of(model, pool)


def test_no_model_at_all(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no model\.json"):
        scorer_of(tmp_path, pool)
