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
from model.learning.export import (
    OPSET,
    Exported,
    ExportedGraph,
    check_difference,
    export_graph,
    export_model,
)
from model.saved.scoring import PAIR_ROLE

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
    The graphs are checked before anything is written.
    Raises `ModelError` when one differs by more than `TOLERANCE`, or Keras does not run on TensorFlow.
    """
    graphs = {PAIR_ROLE: export_graph(network, GRAPH_FILE, "pair", "score", examples)}
    if preset == SPLIT_PRESET:
        weights = split_weights(network)
        expected = np.asarray(network.predict_on_batch(examples))[:, 0]
        difference = float(np.abs(score_split(weights, examples) - expected).max())
        check_difference(SPLIT_FILE, difference)
        graphs[SPLIT_ROLE] = ExportedGraph(
            spec=split_spec(weights), content=split_graph(weights, OPSET), difference=difference
        )
    return export_model(
        folder,
        graphs,
        approach="binary",
        scoring="pairs",
        features="edges",
        preset=preset,
        edge_samples=edge_samples,
        training=training,
        metrics=metrics,
    )
