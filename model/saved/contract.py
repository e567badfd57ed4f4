"""The contract says what a model's folder holds, and what its scoring and its features ask of it."""

from dataclasses import dataclass, field
from typing import Any, get_args

from model.base.errors import ModelError
from model.features.spectra import SPECTRAL_VERSION
from model.saved.scoring import CLASSES_ROLE, PAIR_ROLE, VECTOR_ROLES, Features, Scoring, VectorMetric

FORMAT_VERSION = 2
_MOST_CLASSES = 1_024
"""Of scoring `buckets`: a distribution over them is kept of every chunk."""


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A named tensor of a graph; `None` stands for the batch axis, the only dynamic one."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"


@dataclass(frozen=True, kw_only=True)
class GraphSpec:
    """One ONNX graph of the model: its file in the folder and its tensors."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, kw_only=True)
class ModelContract:
    """What the model is (saved with it), apart from how it is run."""

    approach: str
    """Its name in `model.approaches.registry`; whoever runs a model looks at scoring and features alone."""
    scoring: Scoring
    features: Features
    preset: str
    """`seed` (the report's network), `fast` or `best`."""
    edge_rate_hz: int
    """Sample rate of the edges that the model sees."""
    edge_samples: int
    """Length of a tail and of a head, in samples at `edge_rate_hz`."""
    opset: int
    graphs: dict[str, GraphSpec]
    """By role: `model.saved.scoring` says which each scoring asks for."""
    training: dict[str, Any] = field(default_factory=dict)
    """Data, seed, optimiser, epochs: how it was made (provenance, never read at run time)."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Figures by the split they were measured on."""
    calibration: dict[str, float] | None = None
    """`scale`, `offset` of scoring `vectors`: probability = sigmoid(scale * metric(end, start) + offset); of
    `buckets` the same, whose ends and starts are `model.saved.walk.class_vectors`."""
    metric: VectorMetric = "dot"
    """Of the same: how an end is compared with a start."""
    walk: tuple[int, ...] | None = None
    """Of scoring `buckets`: the class of each transition along the reference songs, from start to end."""
    spectral_version: int | None = None
    """`model.features.spectra.SPECTRAL_VERSION` of the spectra that the model was trained on."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.edge_samples < 2 or self.edge_rate_hz < 1:
            raise ModelError(
                f"the model's edge is {self.edge_samples} samples at {self.edge_rate_hz} Hz; "
                "expected at least 2 samples; train it again"
            )
        if not self.graphs:
            raise ModelError("the model names no graph; train it again")
        _check_scoring(self)

    @property
    def edge_s(self) -> float:
        """Length of an edge in seconds."""
        return self.edge_samples / self.edge_rate_hz


def _check_scoring(contract: ModelContract) -> None:
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


def _check_pairs(contract: ModelContract) -> None:
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


def _check_vectors(contract: ModelContract) -> None:
    missing = [role for role in VECTOR_ROLES if role not in contract.graphs]
    if missing:
        raise ModelError(f"the model has no graph for its {' and '.join(missing)}; train it again")
    _check_comparison(contract)


def _check_buckets(contract: ModelContract) -> None:
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


def _check_comparison(contract: ModelContract) -> None:
    if contract.metric not in get_args(VectorMetric):
        raise ModelError(
            f"the model compares its vectors by {contract.metric!r}, expected one of "
            f"{', '.join(get_args(VectorMetric))}; train it again or install the matching endlos"
        )
    if contract.calibration is None or set(contract.calibration) != {"scale", "offset"}:
        raise ModelError(
            f"the model's calibration is {contract.calibration}, expected scale and offset; train it again"
        )
