"""These helpers are contracts that hold what they promise, and what is changed of them."""

from model.features.spectra import SPECTRAL_VERSION
from model.saved.contract import GraphSpec, ModelContract, TensorSpec
from model.saved.scoring import VECTOR_ROLES


def pair_contract(**changes: object) -> ModelContract:
    fields: dict[str, object] = {
        "approach": "binary",
        "scoring": "pairs",
        "features": "edges",
        "preset": "fast",
        "edge_rate_hz": 1260,
        "edge_samples": 630,
        "opset": 17,
        "graphs": {
            "pair": GraphSpec(
                file="pair.onnx",
                inputs=(TensorSpec(name="pair", shape=(None, 1260, 1)),),
                outputs=(TensorSpec(name="score", shape=(None, 1)),),
            )
        },
        "training": {"seed": 3},
        "metrics": {"auc": 0.75},
        **changes,
    }
    return ModelContract(**fields)  # type: ignore[arg-type]


def tower_contract(**changes: object) -> ModelContract:
    def role(name: str) -> GraphSpec:
        return GraphSpec(
            file=f"{name}.onnx",
            inputs=(TensorSpec(name="spectrum", shape=(None, 2, 3)),),
            outputs=(TensorSpec(name="embedding", shape=(None, 4)),),
        )

    fields: dict[str, object] = {
        "approach": "tower",
        "scoring": "vectors",
        "features": "spectra",
        "graphs": {name: role(name) for name in VECTOR_ROLES},
        "calibration": {"scale": 2.0, "offset": -9.5},
        "spectral_version": SPECTRAL_VERSION,
        **changes,
    }
    return pair_contract(**fields)
