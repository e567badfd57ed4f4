"""This helper makes tiny exact models of a few ONNX nodes whose result is computed in NumPy too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.base.arrays import FloatArray, HalfArray
from model.features.edges import EDGE_RATE_HZ
from model.features.spectra import SPECTRAL_VERSION, SPECTRUM_BINS, SPECTRUM_FRAMES
from model.learning.lesson import Lesson
from model.learning.measures import UNSEEN
from model.saved.contract import GraphSpec, ModelContract, TensorSpec
from model.saved.contract_file import SECOND_STAGE_FILE, load_contract, save_contract
from model.saved.scoring import CLASSES_ROLE, VECTOR_ROLES, Features
from model.saved.second_stage import carried_stage_file
from stream.index.edge_index import EdgeIndex
from stream.pool.pool import Pool
from stream.scoring.opening import open_scorer
from stream.scoring.scorer import Scorer
from stream.scoring.settings import ScoringSettings

OPSET = 17
TINY_CALIBRATION = {"scale": 0.5, "offset": -1.0}


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
            scoring="pairs",
            features="edges",
            preset="fast",
            edge_rate_hz=EDGE_RATE_HZ,
            edge_samples=edge_samples,
            opset=OPSET,
            graphs={"pair": spec},
        ),
        folder,
    )
    return folder


def learned_from(folder: Path, training: dict[str, object]) -> Path:
    """Let the contract of a model say of its training what is given; return its folder."""
    save_contract(replace(load_contract(folder), training=training), folder)
    return folder


def tiny_embeddings(folder: Path, role: str, seen: HalfArray | FloatArray) -> FloatArray:
    """What a graph of the tiny towers in `folder` computes: tanh(seen * inner) * outer, `(N, width)`."""
    inner, outer = np.load(folder / f"{role}-inner.npy"), np.load(folder / f"{role}-outer.npy")
    flat = seen.astype(np.float64).reshape(len(seen), -1)
    embedding: FloatArray = (np.tanh(flat @ inner) @ outer).astype(np.float32)
    return embedding


def write_tiny_towers(
    folder: Path,
    *,
    width: int = 24,
    seed: int = 0,
    edge_samples: int = 200,
    features: Features = "spectra",
) -> Path:
    """Write a model folder of scoring vectors whose graphs compute `tiny_embeddings`."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (SPECTRUM_FRAMES, SPECTRUM_BINS) if features == "spectra" else (edge_samples, 1)
    graphs, values = {}, shape[0] * shape[1]
    for role in VECTOR_ROLES:
        # Of levels in dB: so small that the inner layer is bent, and not full.
        weights = {
            "inner": rng.normal(0.0, 2e-4, (values, 16)).astype(np.float32),
            "outer": rng.normal(0.0, 1.0, (16, width)).astype(np.float32),
        }
        for name, array in weights.items():
            np.save(folder / f"{role}-{name}.npy", array)
        graph = helper.make_graph(
            [
                helper.make_node("Flatten", ["spectrum"], ["flat"]),
                helper.make_node("MatMul", ["flat", "inner"], ["sums"]),
                helper.make_node("Tanh", ["sums"], ["bent"]),
                helper.make_node("MatMul", ["bent", "outer"], ["embedding"]),
            ],
            role,
            [helper.make_tensor_value_info("spectrum", TensorProto.FLOAT, ["batch", *shape])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width])],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.save(model, folder / f"{role}.onnx")
        graphs[role] = GraphSpec(
            file=f"{role}.onnx",
            inputs=(TensorSpec(name="spectrum", shape=(None, *shape)),),
            outputs=(TensorSpec(name="embedding", shape=(None, width)),),
        )
    save_contract(
        ModelContract(
            approach="tower",
            scoring="vectors",
            features=features,
            preset="fast",
            edge_rate_hz=EDGE_RATE_HZ,
            edge_samples=edge_samples,
            opset=OPSET,
            graphs=graphs,
            calibration=TINY_CALIBRATION,
            spectral_version=SPECTRAL_VERSION,
        ),
        folder,
    )
    return folder


def scorer_of(
    folder: Path, pool: Pool, *, threads: int = 2, precomputed: bool = True
) -> tuple[Scorer, EdgeIndex]:
    """The scorer and the index that the model in `folder` opens for a pool."""
    settings = ScoringSettings(model=folder, threads=threads, precomputed=precomputed)
    found = open_scorer(pool, settings)
    assert found.scorer is not None
    return found.scorer, found.index


def lesson_of(train: Any, unseen: Any, out: Path, settings: Any, **changes: Any) -> Lesson[Any, Any]:
    """A lesson as `tools.training.lessons` makes it, of music that is at hand."""
    fields = {"train": train, "unseen": unseen, "out": out, "settings": settings, "unseen_name": UNSEEN}
    return Lesson(**{**fields, **changes})


def add_second_stage(folder: Path) -> None:
    """Give the towers in `folder` the second stage that endlos carries."""
    (folder / SECOND_STAGE_FILE).write_bytes(carried_stage_file())


def tiny_logits(folder: Path, seen: FloatArray) -> FloatArray:
    """What the graph of the tiny buckets in `folder` computes: seen * weights, `(N, classes)`."""
    logits: FloatArray = (seen.reshape(len(seen), -1) @ np.load(folder / "weights.npy")).astype(np.float32)
    return logits


def write_tiny_buckets(
    folder: Path, *, classes: int = 5, walk: tuple[int, ...] = (0, 1, 2, 3, 4), edge_samples: int = 200
) -> Path:
    """Write a model folder of scoring buckets whose graph computes `tiny_logits`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.random.default_rng(0).normal(0.0, 1.0, (2 * edge_samples, classes)).astype(np.float32)
    np.save(folder / "weights.npy", weights)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["transition"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "classes",
        [helper.make_tensor_value_info("transition", TensorProto.FLOAT, ["batch", 2 * edge_samples, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.save(model, folder / "classes.onnx")
    spec = GraphSpec(
        file="classes.onnx",
        inputs=(TensorSpec(name="transition", shape=(None, 2 * edge_samples, 1)),),
        outputs=(TensorSpec(name="logits", shape=(None, classes)),),
    )
    save_contract(
        ModelContract(
            approach="categorical",
            scoring="buckets",
            features="edges",
            preset="seed",
            edge_rate_hz=EDGE_RATE_HZ,
            edge_samples=edge_samples,
            opset=OPSET,
            graphs={CLASSES_ROLE: spec},
            metric="product",
            calibration=TINY_CALIBRATION,
            walk=walk,
        ),
        folder,
    )
    return folder
