"""This module opens the scorer that a model and a pool ask for, and refuses what does not fit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from model.base.errors import ModelError, PoolError
from model.features.edges import EDGE_RATE_HZ
from model.features.texture import Textures
from model.saved.contract import ModelContract
from model.saved.contract_file import load_contract
from model.saved.scoring import PAIR_ROLE, Scoring
from model.saved.second_stage import load_second_stage
from stream.index.edge_index import EdgeIndex
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import pool_embeddings
from stream.pool.pool import Pool
from stream.scoring.buckets import Buckets
from stream.scoring.guard import GuardedScorer
from stream.scoring.matrix_scorer import MatrixScorer, matrix_path, open_matrix
from stream.scoring.scorer import Scorer
from stream.scoring.seam_scorer import SeamScorer
from stream.scoring.settings import ScoringSettings
from stream.scoring.slow_scorer import SlowScorer
from stream.scoring.split_scorer import SplitScorer
from stream.scoring.vector_scorer import VectorScorer

FALLBACK_EDGE_S = 0.35
"""What is compared where nothing is scored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """What stands ready to choose from the chunks of a pool; all in pool order."""

    index: EdgeIndex
    """Its edges say what is nearest when nothing is scored."""
    scorer: Scorer | None = None
    """None when nothing is scored (strategies `random` and `natural`)."""
    vectors: EmbeddingIndex | None = None
    """Of the model, where it is scored by vectors or by buckets."""
    buckets: Buckets | None = None
    """Of the model, where it is scored by buckets."""
    textures: Textures | None = None
    """None where nothing is weighed, or the pool keeps no spectra."""

    def close(self) -> None:
        """End the thread that scores, where there is one."""
        if isinstance(self.scorer, GuardedScorer):
            self.scorer.close()


def open_scorer(pool: Pool, scoring: ScoringSettings) -> Opened:
    """Load the model that the settings name for `pool`; `ModelError` when it is broken or does not fit."""
    opened = _opened(pool, scoring)
    if not scoring.guarded or opened.scorer is None:
        return opened

    def make() -> Scorer:
        again = _opened(pool, scoring).scorer
        assert again is not None  # the same settings name the same model
        return again

    return replace(opened, scorer=GuardedScorer(opened.scorer, make))


def vector_scorer(
    vectors: EmbeddingIndex, pool: Pool, folder: Path, contract: ModelContract
) -> VectorScorer | SeamScorer:
    """Return the scorer of a model of the scorings `EMBEDDED` over the vectors that it gave for `pool`."""
    assert contract.calibration is not None  # a contract of this scoring has one
    stage = load_second_stage(folder)
    if stage is None:
        return VectorScorer(vectors, contract.calibration)
    if pool.sides is None:
        raise PoolError(
            f"{pool.folder} does not keep what seams are compared by; run `endlos pool build` again"
        )
    return SeamScorer(vectors, pool.sides, stage, pool.chunk_song)


def _opened(pool: Pool, scoring: ScoringSettings) -> Opened:
    """Open what the settings name, without the guard around it."""
    folder = scoring.model
    if folder is None:
        samples = min(pool.edge_samples, int(FALLBACK_EDGE_S * EDGE_RATE_HZ))
        return Opened(index=EdgeIndex.from_pool(pool, samples))
    contract = load_contract(folder)
    if contract.edge_rate_hz != EDGE_RATE_HZ:
        raise ModelError(
            f"{folder} wants edges at {contract.edge_rate_hz} Hz, pools keep them at {EDGE_RATE_HZ} Hz; "
            "train the model again"
        )
    opened = _OPENERS[contract.scoring](_Asked(folder=folder, contract=contract, pool=pool, scoring=scoring))
    if scoring.simulate_slow_ms > 0 and opened.scorer is not None:
        slow = SlowScorer(opened.scorer, scoring.simulate_slow_ms, len(pool))
        opened = replace(opened, scorer=slow)
    return replace(opened, textures=pool.textures)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """What a scorer is opened for."""

    folder: Path
    contract: ModelContract
    pool: Pool
    scoring: ScoringSettings


def _open_pairs(asked: _Asked) -> Opened:
    folder, contract, threads = asked.folder, asked.contract, asked.scoring.threads
    index = EdgeIndex.from_pool(asked.pool, contract.edge_samples)
    if asked.scoring.precomputed:
        matrix = open_matrix(matrix_path(asked.pool, folder, contract), len(asked.pool))
        if matrix is not None:
            return Opened(scorer=MatrixScorer(matrix), index=index)
    # Here, because nothing else of a running stream needs onnxruntime, which takes tens of MB.
    from stream.index.graphs import open_graph, row_bytes, run_graph
    from stream.scoring.pair_scorer import PairScorer, batch_rows

    if "split" in contract.graphs:
        graph = contract.graphs["split"]
        constants = run_graph(open_graph(folder, graph, threads=1), {})
        tensors = {spec.name: value for spec, value in zip(graph.outputs, constants, strict=True)}
        return Opened(scorer=SplitScorer(tensors, index, threads=threads), index=index)
    graph = contract.graphs[PAIR_ROLE]
    session = open_graph(folder, graph, threads=threads)
    rows = batch_rows(row_bytes(folder / graph.file))
    return Opened(scorer=PairScorer(session, index, batch=rows), index=index)


def _open_vectors(asked: _Asked) -> Opened:
    contract, pool = asked.contract, asked.pool
    vectors = pool_embeddings(pool, asked.folder, contract, threads=asked.scoring.threads)
    scorer = vector_scorer(vectors, pool, asked.folder, contract)
    # Its edges decide nothing but what is nearest when the model fails.
    index = EdgeIndex.from_pool(pool, contract.edge_samples, preload_bytes=0)
    return Opened(scorer=scorer, index=index, vectors=vectors)


def _open_buckets(asked: _Asked) -> Opened:
    opened = _open_vectors(asked)
    assert opened.vectors is not None and asked.contract.walk is not None  # this scoring has both
    return replace(opened, buckets=Buckets.of(opened.vectors, asked.contract.walk))


_OPENERS: dict[Scoring, Callable[[_Asked], Opened]] = {
    "pairs": _open_pairs,
    "vectors": _open_vectors,
    "buckets": _open_buckets,
}
