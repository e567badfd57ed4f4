"""From Keras to ONNX: named tensors, a free batch axis, checked against Keras before it counts as a model."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.contract import CONTRACT_FILE, GraphSpec, ModelContract, TensorSpec, save_contract
from model.errors import ModelError
from model.features import EDGE_RATE_HZ
from model.files import beside
from model.kernels import FloatArray
from model.quiet import without_noise
from model.split import (
    SPLIT_FILE,
    SPLIT_PRESET,
    SPLIT_ROLE,
    score_split,
    split_graph,
    split_spec,
    split_weights,
)

OPSET = 17
GRAPH_FILE = "pair.onnx"
TOLERANCE = 1e-5
"""Largest difference from Keras with which a graph is still the same network."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    contract: ModelContract
    files: tuple[Path, ...]
    difference: float
    """Largest difference between Keras and onnxruntime on the examples."""


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


def check_difference(name: str, difference: float) -> None:
    """Raise `ModelError` when an exported graph is another network than the one that was learned."""
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the exported {name} differs from Keras by {difference:.1e}, expected at most {TOLERANCE:.0e}; "
            "the model was not written; report this with the versions of tensorflow and tf2onnx"
        )


def replace_model(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write a model's files in the place of an older model's; the contract is to be written afterwards."""
    with ExitStack() as files:
        parts = {name: files.enter_context(beside(folder / name)) for name in contents}
        for name, content in contents.items():
            parts[name].write_bytes(content)
        (folder / CONTRACT_FILE).unlink(missing_ok=True)
        (folder / SPLIT_FILE).unlink(missing_ok=True)


def convert(network: Any, edge_samples: int) -> bytes:
    """Return the network as an ONNX graph: `pair` (batch, 2 * edge_samples, 1) -> `score` (batch, 1)."""
    return to_onnx(network, "pair", (2 * edge_samples, 1), "score")


def to_onnx(network: Any, seen: str, shape: tuple[int, ...], given: str) -> bytes:
    """Return a network of one tensor as an ONNX graph: `seen` (batch, *shape) -> `given`.

    Raises `ModelError` when Keras does not run on TensorFlow.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"Keras runs on {keras.backend.backend()}, export needs TensorFlow; "
            "set KERAS_BACKEND=tensorflow and run the same command with --resume"
        )
    with without_noise():
        import tensorflow
        import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    signature = [tensorflow.TensorSpec((None, *shape), tensorflow.float32, name=seen)]

    def called(tensor: Any) -> dict[str, Any]:
        return {given: network(tensor, training=False)}

    traced = tensorflow.function(called, input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=OPSET)
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    graph: bytes = proto.SerializeToString()
    return graph


def compare(network: Any, graph: bytes, examples: FloatArray) -> float:
    """Return the largest difference between Keras and onnxruntime, one by one and in one batch.

    In units of the largest value, where that is above 1: embeddings are as large as a temperature makes them.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (seen,) = session.get_inputs()
    expected = np.asarray(network.predict_on_batch(examples))
    together = session.run(None, {seen.name: examples})[0]
    alone = np.concatenate([session.run(None, {seen.name: row[np.newaxis]})[0] for row in examples[:8]])
    difference = max(np.abs(together - expected).max(), np.abs(alone - expected[:8]).max())
    return float(difference / max(1.0, np.abs(expected).max()))
