"""The export of approach `binary` writes its graph (for preset seed also the split one) and its contract."""

from pathlib import Path
from typing import Any

import numpy as np

from model.approaches.binary.split import (
    SPLIT_FILE,
    SPLIT_PRESET,
    SPLIT_ROLE,
    score_split,
    split_graph,
    split_spec,
    split_weights,
)
from model.base.arrays import FloatArray
from model.features.edges import EDGE_RATE_HZ
from model.learning.export import OPSET, Exported, check_difference, compare, replace_model, to_onnx
from model.saved.contract import CONTRACT_FILE, GraphSpec, ModelContract, TensorSpec, save_contract

GRAPH_FILE = "pair.onnx"


def export_binary(
    network: Any,
    folder: Path,
    *,
    preset: str,
    edge_samples: int,
    examples: FloatArray,
    training: dict[str, Any],
    metrics: dict[str, Any],
) -> Exported:
    """Write `pair.onnx`, of preset seed `split.onnx` too, and `model.json` into `folder`.

    examples: `(n, 2 * edge_samples, 1)` float32, real edges to compare on.
    The graphs are written beside and checked first; an older model in `folder` is unreadable for the instant
    in which the new one takes its place, so that a contract never stands beside another model's graph.
    Raises `ModelError` when one differs by more than `TOLERANCE`, or Keras does not run on TensorFlow.
    """
    pair = GraphSpec(
        file=GRAPH_FILE,
        inputs=(TensorSpec(name="pair", shape=(None, 2 * edge_samples, 1)),),
        outputs=(TensorSpec(name="score", shape=(None, 1)),),
    )
    graph = convert(network, edge_samples)
    difference = compare(network, graph, examples)
    check_difference(GRAPH_FILE, difference)
    graphs, contents = {"pair": pair}, {GRAPH_FILE: graph}
    differences = {"export_difference": difference}
    if preset == SPLIT_PRESET:
        weights = split_weights(network)
        expected = np.asarray(network.predict_on_batch(examples))[:, 0]
        differences["split_difference"] = float(np.abs(score_split(weights, examples) - expected).max())
        check_difference(SPLIT_FILE, differences["split_difference"])
        graphs[SPLIT_ROLE], contents[SPLIT_FILE] = split_spec(weights), split_graph(weights, OPSET)
    replace_model(folder, contents)
    contract = ModelContract(
        approach="binary",
        scoring="pairs",
        features="edges",
        preset=preset,
        edge_rate_hz=EDGE_RATE_HZ,
        edge_samples=edge_samples,
        opset=OPSET,
        graphs=graphs,
        training=training,
        metrics={**metrics, **differences},
    )
    save_contract(contract, folder)
    files = (folder / CONTRACT_FILE, *(folder / name for name in contents))
    return Exported(contract=contract, files=files, difference=difference)


def convert(network: Any, edge_samples: int) -> bytes:
    """Return the network as an ONNX graph: `pair` (batch, 2 * edge_samples, 1) -> `score` (batch, 1)."""
    return to_onnx(network, "pair", (2 * edge_samples, 1), "score")
