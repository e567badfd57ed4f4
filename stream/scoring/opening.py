"""This module opens the scorer that a model and a pool ask for, and refuses what does not fit."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import ModelError, PoolError
from model.features.edges import EDGE_RATE_HZ
from model.saved.contract import ModelContract, load_contract
from model.saved.second_stage import load_second_stage
from stream.index.edge_index import EdgeIndex
from stream.index.vectors import pool_embeddings
from stream.pool.pool import Pool
from stream.scoring.matrix_scorer import MatrixScorer, matrix_path, open_matrix
from stream.scoring.scorer import Scorer
from stream.scoring.seam_scorer import SeamScorer
from stream.scoring.split_scorer import SplitScorer
from stream.scoring.vector_scorer import TowerScorer


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """What a scorer is opened for."""

    folder: Path
    contract: ModelContract
    pool: Pool
    threads: int
    precomputed: bool


def open_scorer(
    folder: Path, pool: Pool, *, threads: int = 2, precomputed: bool = True
) -> tuple[Scorer, EdgeIndex]:
    """Load the model in `folder` for `pool`; `ModelError` when it is broken or does not fit.

    Scores that `endlos precompute` left in the pool are used, unless not `precomputed`.
    """
    contract = load_contract(folder)
    if contract.approach not in _APPROACHES:
        raise ModelError(
            f"{folder} is a model of approach {contract.approach!r}, this endlos plays "
            f"{' and '.join(repr(name) for name in _APPROACHES)}; train one of these with `endlos train`"
        )
    if contract.edge_rate_hz != EDGE_RATE_HZ:
        raise ModelError(
            f"{folder} wants edges at {contract.edge_rate_hz} Hz, pools keep them at {EDGE_RATE_HZ} Hz; "
            "train the model again"
        )
    asked = _Asked(
        folder=folder,
        contract=contract,
        pool=pool,
        threads=threads,
        precomputed=precomputed,
    )
    return _APPROACHES[contract.approach](asked)


def _open_binary(asked: _Asked) -> tuple[Scorer, EdgeIndex]:
    folder, contract = asked.folder, asked.contract
    _check_pair(folder, contract)
    index = EdgeIndex.from_pool(asked.pool, contract.edge_samples)
    if asked.precomputed:
        matrix = open_matrix(matrix_path(asked.pool, folder, contract), len(asked.pool))
        if matrix is not None:
            return MatrixScorer(matrix), index
    # Here, because nothing else of a running stream needs onnxruntime, which takes tens of MB.
    from stream.index.graphs import open_graph
    from stream.scoring.pair_scorer import PairScorer

    if "split" in contract.graphs:
        graph = contract.graphs["split"]
        constants = open_graph(folder, graph, threads=1).run(None, {})
        tensors = {spec.name: value for spec, value in zip(graph.outputs, constants, strict=True)}
        return SplitScorer(tensors, index, threads=asked.threads), index
    return PairScorer(open_graph(folder, contract.graphs["pair"], threads=asked.threads), index), index


def _open_tower(asked: _Asked) -> tuple[Scorer, EdgeIndex]:
    contract = asked.contract
    assert contract.calibration is not None  # the contract of a tower has one
    embeddings = pool_embeddings(asked.pool, asked.folder, contract, threads=asked.threads)
    # Its edges decide nothing but what is nearest when the model fails.
    index = EdgeIndex.from_pool(asked.pool, contract.edge_samples, preload_bytes=0)
    stage = load_second_stage(asked.folder)
    if stage is None:
        return TowerScorer(embeddings, contract.calibration), index
    if asked.pool.sides is None:
        raise PoolError(
            f"{asked.pool.folder} does not keep what seams are compared by; run `endlos pool build` again"
        )
    return SeamScorer(embeddings, asked.pool.sides, stage), index


_APPROACHES: dict[str, Callable[[_Asked], tuple[Scorer, EdgeIndex]]] = {
    "binary": _open_binary,
    "tower": _open_tower,
}


def _check_pair(folder: Path, contract: ModelContract) -> None:
    if "pair" not in contract.graphs:
        raise ModelError(f"{folder} has no graph for pairs of chunks; train or copy the model again")
    seen, edge = contract.graphs["pair"].inputs, contract.edge_samples
    if len(seen) != 1 or seen[0].shape != (None, 2 * edge, 1):
        raise ModelError(
            f"{folder} says that its edges have {edge} samples, and its graph sees "
            f"{[tensor.shape for tensor in seen]}; train or copy the model again"
        )
