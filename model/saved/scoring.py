"""A scoring says how a model is asked, its features what it sees; each asks something of the contract."""

from typing import TYPE_CHECKING, Literal, get_args

from model.base.errors import ModelError
from model.features.spectra import SPECTRAL_VERSION

if TYPE_CHECKING:
    from model.saved.contract import ModelContract

Scoring = Literal["pairs", "vectors", "buckets"]
"""`pairs`: one graph, [tail | head] -> probability. `vectors`: a graph for ends, one for starts, and a metric
between them, calibrated. `buckets`: one graph to K classes, and a walk through them."""
Features = Literal["edges", "spectra"]
"""`edges`: `(edge_samples, 1)` next to a cut. `spectra`: `(SPECTRUM_FRAMES, SPECTRUM_BINS)` next to a cut."""
VectorMetric = Literal["dot", "correlation", "product"]
"""How an end is compared with a start: `stream.index.metrics`."""
CORRELATION_SHIFT = 4
"""Values by which metric `correlation` moves one vector over the other, at most a quarter of them."""
EMBEDDED: frozenset[Scoring] = frozenset({"vectors", "buckets"})
"""Scorings in which a graph sees each chunk of a pool once, and what comes of it is kept beside the pool."""
PAIR_ROLE = "pair"
VECTOR_ROLES = ("ends", "starts")
"""Graphs of scoring `vectors`: what is seen of a tail or of a head -> `embedding`."""
CLASSES_ROLE = "classes"
"""Graph of scoring `buckets`: what is seen of [tail | head], one after the other -> logits of K."""
_MOST_CLASSES = 1_024
"""Of scoring `buckets`: a distribution over them is kept of every chunk."""


def check_scoring(contract: "ModelContract") -> None:
    """Raise `ModelError` when a contract lacks what its scoring and its features ask for."""
    if contract.scoring not in get_args(Scoring) or contract.features not in get_args(Features):
        raise ModelError(
            f"the model is scored by {contract.scoring!r} of {contract.features!r}, expected one of "
            f"{', '.join(get_args(Scoring))} of {' or '.join(get_args(Features))}; "
            "train it again or install the matching endlos"
        )
    if contract.features == "spectra" and contract.spectral_version != SPECTRAL_VERSION:
        raise ModelError(
            f"the model reads spectra of version {contract.spectral_version}, this endlos makes version "
            f"{SPECTRAL_VERSION}; train the model again or install the matching endlos"
        )
    if contract.scoring == "pairs":
        _check_pairs(contract)
    elif contract.scoring == "vectors":
        _check_vectors(contract)
    else:
        _check_buckets(contract)


def _check_pairs(contract: "ModelContract") -> None:
    if contract.features != "edges":
        raise ModelError(f"the model scores pairs of {contract.features}, expected edges; train it again")
    if PAIR_ROLE not in contract.graphs:
        raise ModelError("the model has no graph for pairs of chunks; train or copy the model again")
    seen = contract.graphs[PAIR_ROLE].inputs
    if len(seen) != 1 or seen[0].shape != (None, 2 * contract.edge_samples, 1):
        raise ModelError(
            f"the model says that its edges have {contract.edge_samples} samples, and its graph sees "
            f"{[tensor.shape for tensor in seen]}; train or copy the model again"
        )


def _check_vectors(contract: "ModelContract") -> None:
    missing = [role for role in VECTOR_ROLES if role not in contract.graphs]
    if missing:
        raise ModelError(f"the model has no graph for its {' and '.join(missing)}; train it again")
    _check_comparison(contract)


def _check_buckets(contract: "ModelContract") -> None:
    if CLASSES_ROLE not in contract.graphs:
        raise ModelError("the model has no graph for its classes; train or copy the model again")
    shapes = [tensor.shape for tensor in contract.graphs[CLASSES_ROLE].outputs]
    classes = shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 2 else None
    if classes is None or not 2 <= classes <= _MOST_CLASSES:
        raise ModelError(
            f"the model's graph for its classes gives {shapes}, expected (None, K) with K from 2 to "
            f"{_MOST_CLASSES}; train it again with --classes"
        )
    if contract.metric != "product":
        raise ModelError(
            f"the model compares classes by metric {contract.metric!r}, expected 'product'; train it again"
        )
    if not contract.walk or not all(0 <= step < classes for step in contract.walk):
        raise ModelError(
            f"the model's walk is empty or leads to a class that is none of its {classes}; train it again"
        )
    _check_comparison(contract)


def _check_comparison(contract: "ModelContract") -> None:
    if contract.metric not in get_args(VectorMetric):
        raise ModelError(
            f"the model compares its vectors by {contract.metric!r}, expected one of "
            f"{', '.join(get_args(VectorMetric))}; train it again or install the matching endlos"
        )
    if contract.calibration is None or set(contract.calibration) != {"scale", "offset"}:
        raise ModelError(
            f"the model's calibration is {contract.calibration}, expected scale and offset; train it again"
        )
