"""A walk says what follows what, counted by hand; classes are compared as softmax, never as raw sigmoids."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from model.base.arrays import DoubleArray
from model.base.errors import ModelError
from model.features.edges import EDGE_RATE_HZ
from model.saved.carried import CONTRACT_FILE
from model.saved.contract import GraphSpec, ModelContract, TensorSpec
from model.saved.contract_file import load_contract, save_contract
from model.saved.walk import class_probabilities, class_vectors, succession

WALK = (0, 0, 2, 0, 1, 2)
CLASSES = 4


def counted() -> DoubleArray:
    """How often one class follows another, by how often it is there, step by step."""
    expected = np.zeros((CLASSES, CLASSES))
    for before in range(CLASSES):
        for after in range(CLASSES):
            pairs = sum(
                WALK[step] == before and WALK[(step + 1) % len(WALK)] == after for step in range(len(WALK))
            )
            expected[before, after] = pairs / WALK.count(before) if pairs else 0.0
    return expected


def test_what_follows_what_is_counted_along_the_walk_and_round_its_end() -> None:
    found = succession(WALK, CLASSES)
    np.testing.assert_allclose(found, counted(), rtol=1e-6)
    # The last class leads to the first, and one that is not in the walk leads nowhere.
    assert found[2, 0] > 0 and not found[3].any() and not found[:, 3].any()


def test_chunks_are_compared_as_shares_of_their_classes() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 2.0, (6, CLASSES)).astype(np.float32)
    logits += np.array([0, 400, -400, 9, 0, 0], dtype=np.float32)[:, None]
    found = class_vectors(logits, WALK)
    shares = softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(np.exp(found.starts), shares, atol=1e-6)
    product = np.einsum("ai,ij,bj->ab", shares, counted(), shares)
    np.testing.assert_allclose(np.exp(found.ends) @ np.exp(found.starts).T, product, rtol=1e-4, atol=1e-6)


def test_raw_sigmoids_would_rank_a_bucket_otherwise() -> None:
    """The first chunk belongs to class 0 and to nothing else; the second has high outputs everywhere."""
    logits = np.array([[1.0, -4.0, -4.0], [2.0, 2.0, 3.0]], dtype=np.float32)
    sigmoids = 1.0 / (1.0 + np.exp(-logits))
    shares = class_probabilities(logits)
    assert sigmoids[0, 0] < sigmoids[1, 0] and shares[0, 0] > 0.9 > 0.3 > shares[1, 0]


def contract(**changes: object) -> ModelContract:
    spec = GraphSpec(
        file="classes.onnx",
        inputs=(TensorSpec(name="transition", shape=(None, 2000, 1)),),
        outputs=(TensorSpec(name="logits", shape=(None, changes.pop("classes", CLASSES))),),  # type: ignore[arg-type]
    )
    fields: dict[str, object] = {
        "approach": "categorical",
        "scoring": "buckets",
        "features": "edges",
        "preset": "seed",
        "edge_rate_hz": EDGE_RATE_HZ,
        "edge_samples": 1000,
        "opset": 17,
        "graphs": {"classes": spec},
        "metric": "product",
        "calibration": {"scale": 1.0, "offset": 0.0},
        "walk": WALK,
        **changes,
    }
    return ModelContract(**fields)  # type: ignore[arg-type]


def test_a_walk_is_kept_on_one_line(tmp_path: Path) -> None:
    save_contract(contract(), tmp_path)
    (tmp_path / "classes.onnx").write_bytes(b"graph")
    assert '"walk": [ 0, 0, 2, 0, 1, 2 ]' in (tmp_path / CONTRACT_FILE).read_text()
    assert load_contract(tmp_path) == contract()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"walk": None}, "walk is empty"),
        ({"walk": ()}, "walk is empty"),
        ({"walk": (0, CLASSES)}, "leads to a class that is none of its 4"),
        ({"classes": 1}, "expected .None, K. with K from 2 to 1024"),
        ({"classes": 1025}, "expected .None, K. with K from 2 to 1024"),
        ({"graphs": {"pair": contract().graphs["classes"]}}, "no graph for its classes"),
        ({"calibration": None}, "calibration is None"),
        ({"metric": "dot"}, "compares classes by metric 'dot', expected 'product'"),
    ],
)
def test_what_buckets_ask_of_a_contract_is_checked(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        contract(**changes)
