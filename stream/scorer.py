"""Scores all candidates as successors of a chunk, in batches through onnxruntime, and keeps the rows."""

import math
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime

from model.contract import GraphSpec, ModelContract, load_contract
from model.errors import ModelError
from model.features import EDGE_RATE_HZ
from model.kernels import FloatArray, IntArray
from stream.index import EdgeIndex
from stream.pool import Pool

BATCH_ROWS = 256
KEPT_BYTES = 64 * 2**20


class ScoringLateError(Exception):
    """The scores were not there in time."""


class Scorer(Protocol):
    """How naturally each candidate follows a chunk."""

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None.

        Raises `ScoringLateError` when that takes longer than `timeout_s`, as soon as it is noticed.
        """

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks if they are known already."""

    def cancel(self) -> None:
        """Make a score under way end soon, by raising; for another thread, before the scorer is dropped."""


class PairScorer:
    """Approach `binary`: the graph sees [tail of the reference | head of the candidate], batch by batch.

    Full rows are kept, least recently used first out, within `kept_bytes`. Belongs to one thread.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, index: EdgeIndex, *, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._session = session
        self._index = index
        self._run_options = onnxruntime.RunOptions()
        self._input = session.get_inputs()[0].name
        self._pairs = np.empty((BATCH_ROWS, 2 * index.edge_samples, 1), dtype=np.float32)
        self._kept: OrderedDict[int, FloatArray] = OrderedDict()
        self._kept_rows = max(1, kept_bytes // (4 * len(index)))

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None.

        The time is looked at between batches.
        """
        row = self.kept(reference)
        if row is not None:
            return row if candidates is None else row[candidates]
        late_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        if candidates is not None:
            return self._score(reference, self._index.heads[candidates], late_s)
        row = self._score(reference, self._index.heads, late_s)
        row.flags.writeable = False
        self._kept[reference] = row
        while len(self._kept) > self._kept_rows:
            self._kept.popitem(last=False)
        return row

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks if they are known already."""
        row = self._kept.get(reference)
        if row is not None:
            self._kept.move_to_end(reference)
        return row

    def cancel(self) -> None:
        """Make a score under way end soon, by raising."""
        self._run_options.terminate = True

    def _score(self, reference: int, heads: FloatArray, late_s: float) -> FloatArray:
        edge = self._index.edge_samples
        self._pairs[:, :edge, 0] = self._index.tails[reference]
        scores = np.empty(len(heads), dtype=np.float32)
        for first in range(0, len(heads), BATCH_ROWS):
            batch = heads[first : first + BATCH_ROWS]
            self._pairs[: len(batch), edge:, 0] = batch
            feed = {self._input: self._pairs[: len(batch)]}
            output = self._session.run(None, feed, self._run_options)[0]
            scores[first : first + len(batch)] = output[:, 0]
            if time.monotonic() > late_s:
                raise ScoringLateError(f"{first + len(batch)} of {len(heads)} candidates scored in time")
        return scores


def open_scorer(folder: Path, pool: Pool, *, threads: int = 2) -> tuple[Scorer, EdgeIndex]:
    """Load the model in `folder` for `pool`; `ModelError` when it is broken or does not fit."""
    contract = load_contract(folder)
    graph = _pair_graph(folder, contract)
    index = EdgeIndex.from_pool(pool, contract.edge_samples)
    session = _session(folder / graph.file, threads)
    _check_tensors(folder / graph.file, session, graph)
    return PairScorer(session, index), index


def _pair_graph(folder: Path, contract: ModelContract) -> GraphSpec:
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
    return contract.graphs["pair"]


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
