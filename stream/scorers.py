"""Opens the scorer that a model and a pool ask for; what does not fit is refused with a sentence."""

from pathlib import Path

import onnxruntime

from model.contract import GraphSpec, ModelContract, load_contract
from model.errors import ModelError
from model.features import EDGE_RATE_HZ
from stream.index import EdgeIndex
from stream.pair_scorer import PairScorer
from stream.pool import Pool
from stream.precomputed import MatrixScorer, matrix_path, open_matrix
from stream.scorer import Scorer
from stream.split_scorer import SplitScorer


def open_scorer(
    folder: Path, pool: Pool, *, threads: int = 2, precomputed: bool = True
) -> tuple[Scorer, EdgeIndex]:
    """Load the model in `folder` for `pool`; `ModelError` when it is broken or does not fit.

    Scores that `endlos precompute` left in the pool are used, unless not `precomputed`.
    """
    contract = load_contract(folder)
    _check_approach(folder, contract)
    index = EdgeIndex.from_pool(pool, contract.edge_samples)
    if precomputed:
        matrix = open_matrix(matrix_path(pool, folder, contract), len(pool))
        if matrix is not None:
            return MatrixScorer(matrix), index
    if "split" in contract.graphs:
        graph = contract.graphs["split"]
        constants = _checked_session(folder, graph, 1).run(None, {})
        tensors = {spec.name: value for spec, value in zip(graph.outputs, constants, strict=True)}
        return SplitScorer(tensors, index, threads=threads), index
    return PairScorer(_checked_session(folder, contract.graphs["pair"], threads), index), index


def _check_approach(folder: Path, contract: ModelContract) -> None:
    if contract.approach != "binary" or "pair" not in contract.graphs:
        raise ModelError(
            f"{folder} is a model of approach {contract.approach!r}, this endlos plays approach 'binary'; "
            "train one with `endlos train --approach binary`"
        )
    if contract.edge_rate_hz != EDGE_RATE_HZ:
        raise ModelError(
            f"{folder} wants edges at {contract.edge_rate_hz} Hz, pools keep them at {EDGE_RATE_HZ} Hz; "
            "train the model again"
        )
    seen, edge = contract.graphs["pair"].inputs, contract.edge_samples
    if len(seen) != 1 or seen[0].shape != (None, 2 * edge, 1):
        raise ModelError(
            f"{folder} says that its edges have {edge} samples, and its graph sees "
            f"{[tensor.shape for tensor in seen]}; train or copy the model again"
        )


def _checked_session(folder: Path, graph: GraphSpec, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph whose tensors are as promised."""
    session = _session(folder / graph.file, threads)
    _check_tensors(folder / graph.file, session, graph)
    return session


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle workers must sleep: spinning would take a core from the audio threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many types of its own, none with a public root
        raise ModelError(f"{path} is not a graph that can be run; train or copy the model again") from error


def _check_tensors(path: Path, session: onnxruntime.InferenceSession, graph: GraphSpec) -> None:
    for role, found, promised in (
        ("input", session.get_inputs(), graph.inputs),
        ("output", session.get_outputs(), graph.outputs),
    ):
        shapes = [(t.name, tuple(d if isinstance(d, int) else None for d in t.shape)) for t in found]
        expected = [(t.name, t.shape) for t in promised]
        if shapes != expected:
            raise ModelError(
                f"{path} has the {role} {shapes}, its model.json promises {expected}; "
                "train or copy the model again"
            )
