"""Tiny exact models for tests, made of a few ONNX nodes whose result is computed in NumPy too."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from model.contract import GraphSpec, ModelContract, TensorSpec, save_contract
from model.features import EDGE_RATE_HZ
from model.kernels import FloatArray

OPSET = 17


def tiny_score(tail: FloatArray, heads: FloatArray) -> FloatArray:
    """What the tiny model computes: sigmoid(10 * (sum of the tail - 2 * sum of the head))."""
    logits = 10.0 * (tail.sum() - 2.0 * heads.sum(axis=1))
    return (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)


def write_tiny_model(folder: Path, edge_samples: int, *, output: str = "score") -> Path:
    """Write a model folder of approach binary whose scores are `tiny_score`."""
    weights = np.concatenate([np.full(edge_samples, 10.0), np.full(edge_samples, -20.0)])
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["pair"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], [output]),
        ],
        "tiny",
        [helper.make_tensor_value_info("pair", TensorProto.FLOAT, ["batch", 2 * edge_samples, 1])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor("weights", TensorProto.FLOAT, [2 * edge_samples, 1], weights)],
    )
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.save(model, folder / "pair.onnx")
    spec = GraphSpec(
        file="pair.onnx",
        inputs=(TensorSpec(name="pair", shape=(None, 2 * edge_samples, 1)),),
        outputs=(TensorSpec(name="score", shape=(None, 1)),),
    )
    save_contract(
        ModelContract(
            approach="binary",
            preset="fast",
            edge_rate_hz=EDGE_RATE_HZ,
            edge_samples=edge_samples,
            opset=OPSET,
            graphs={"pair": spec},
        ),
        folder,
    )
    return folder
