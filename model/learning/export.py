"""This module exports Keras networks to ONNX and checks the graph against Keras before it counts."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.files import beside
from model.base.quiet import without_noise
from model.features.edges import EDGE_RATE_HZ
from model.saved.carried import CONTRACT_FILE
from model.saved.contract import GraphSpec, ModelContract, TensorSpec
from model.saved.contract_file import load_contract, save_contract

OPSET = 17
_TOLERANCE = 1e-5
"""Largest difference from Keras with which a graph is still the same network."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    contract: ModelContract
    files: tuple[Path, ...]
    difference: float
    """Largest difference between Keras and onnxruntime on the examples."""


@dataclass(frozen=True, kw_only=True)
class ExportedGraph:
    """A network as a graph that gives what Keras gives."""

    spec: GraphSpec
    content: bytes
    difference: float
    """Largest difference between Keras and onnxruntime on the examples."""


def export_graph(network: Any, file: str, seen: str, given: str, examples: FloatArray) -> ExportedGraph:
    """Return a network of one tensor as a graph: `seen` (batch, *shape of an example) -> `given`.

    examples: `(n, ...)` float32, real ones to compare on. Raises `ModelError` when the graph differs by more
    than 1e-5 of the largest value, or Keras does not run on TensorFlow.
    """
    shape = examples.shape[1:]
    graph = to_onnx(network, seen, shape, given)
    difference = compare(network, graph, examples)
    check_difference(file, difference)
    spec = GraphSpec(
        file=file,
        inputs=(TensorSpec(name=seen, shape=(None, *shape)),),
        outputs=(TensorSpec(name=given, shape=(None, *network.output_shape[1:])),),
    )
    return ExportedGraph(spec=spec, content=graph, difference=difference)


def export_model(
    folder: Path,
    graphs: Mapping[str, ExportedGraph],
    *,
    contents: Mapping[str, bytes] | None = None,
    metrics: Mapping[str, Any] | None = None,
    **promised: Any,
) -> Exported:
    """Write a model into `folder`: its graphs by role, other files (`contents`), and the contract.

    promised: what is left of `ModelContract`. An older model in `folder` is unreadable for the instant in
    which the new one takes its place, so that a contract never stands beside another model's graph.
    """
    difference = max(graph.difference for graph in graphs.values())
    contract = ModelContract(
        edge_rate_hz=EDGE_RATE_HZ,
        opset=OPSET,
        graphs={role: graph.spec for role, graph in graphs.items()},
        metrics={**(metrics or {}), "export_difference": difference},
        **promised,
    )
    files = {graph.spec.file: graph.content for graph in graphs.values()} | dict(contents or {})
    replace_model(folder, files)
    save_contract(contract, folder)
    return Exported(
        contract=contract,
        files=(folder / CONTRACT_FILE, *(folder / name for name in files)),
        difference=difference,
    )


def check_difference(name: str, difference: float) -> None:
    """Raise `ModelError` when an exported graph is another network than the one that was learned."""
    if not difference <= _TOLERANCE:
        raise ModelError(
            f"the exported {name} differs from Keras by {difference:.1e}, expected at most {_TOLERANCE:.0e}; "
            "the model was not written; report this with the versions of tensorflow and tf2onnx"
        )


def replace_model(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write a model's files in the place of an older model's; the contract is to be written afterwards.

    Graphs that the older contract names and `contents` has not go with it; any other file stays.
    """
    older: set[str] = set()
    with suppress(ModelError):
        older = {graph.file for graph in load_contract(folder).graphs.values()}
    with ExitStack() as files:
        parts = {name: files.enter_context(beside(folder / name)) for name in contents}
        for name, content in contents.items():
            parts[name].write_bytes(content)
        (folder / CONTRACT_FILE).unlink(missing_ok=True)
        for name in older - set(contents):
            if Path(name).name == name:
                (folder / name).unlink(missing_ok=True)


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
    from model.base.graph_runtime import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (seen,) = session.get_inputs()
    expected = np.asarray(network.predict_on_batch(examples))
    together = session.run(None, {seen.name: examples})[0]
    alone = np.concatenate([session.run(None, {seen.name: row[np.newaxis]})[0] for row in examples[:8]])
    difference = max(np.abs(together - expected).max(), np.abs(alone - expected[:8]).max())
    return float(difference / max(1.0, np.abs(expected).max()))
