"""The split scorer runs the report's network taken apart, exactly and quickly.

What is done once for a reference is its own steps; what is done per candidate is the rest of the LSTM, over
blocks of candidates whose state stays in the cache, in threads without the GIL. The other ways that were
tried: a `Scan` in onnxruntime takes 1.6 times as long for the recurrence alone, as it passes over memory for
every gate (`benchmarks/bench_split_scorer.py`); products by onnxruntime or BLAS, step by step with numba's
gates between, are no faster and need Python's lock twice for every step and block.
Nothing is stored per chunk but its edge, so that neither a memory budget nor half precision is needed:
the projections of 1,800 chunks, 1.6 GB, are a table of 8 MB that holds for every chunk there will ever be.
"""

import itertools
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from stream.index.edge_index import EdgeIndex
from stream.scoring.lstm_tile import TILE_ROWS
from stream.scoring.recurrence import Recurrence, RecurrentState
from stream.scoring.scorer import KEPT_BYTES, RowScorer, ScoringLateError

BLOCK_ROWS = 132
"""Candidates whose state (400 kB) stays in a core's second-level cache."""


class SplitScorer(RowScorer):
    """Scores by preset `seed` of approach `binary`, from its graph `split`. Belongs to one thread."""

    def __init__(
        self,
        tensors: Mapping[str, FloatArray],
        index: EdgeIndex,
        *,
        threads: int,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """Lay the weights out; `ModelError` when they are of another edge than the index."""
        super().__init__(len(index), kept_bytes=kept_bytes)
        steps = index.edge_samples - 1
        if len(tensors["output"]) != steps:
            raise ModelError(
                f"the split graph has {len(tensors['output'])} steps, edges of {index.edge_samples} samples "
                f"need {steps}; train or copy the model again"
            )
        self._index = index
        self._threads = threads
        self._recurrence = Recurrence.of(
            tensors["bounds"], tensors["linear"], tensors["bends"], tensors["recurrent"]
        )
        self._output = self._recurrence.padded(tensors["output"])
        self._constant = float(tensors["constant"][0])
        self._own_steps = steps // 2
        self._cancelled = threading.Event()
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="split-scorer")
        # Compiled, or loaded, here: no score of a stream waits for that.
        silent = RecurrentState.zero(self._recurrence.padded_units)
        self._recurrence.run(np.zeros((1, 3), dtype=np.float32), self._output[:1], silent)

    def cancel(self) -> None:
        """Make a score under way end soon, by raising."""
        self._cancelled.set()

    def _scores(self, reference: int, candidates: IntArray | None, late_s: float) -> FloatArray:
        """Score in blocks; the time is looked at between them."""
        tail = np.asarray(self._index.tails[reference], dtype=np.float32)
        before, state = self._after_tail(tail)
        seam = tail[2 * self._own_steps :]
        output = self._output[self._own_steps :]
        heads = self._index.heads if candidates is None else self._index.heads[candidates]
        from_heads = 2 * len(output) + 1 - len(seam)

        def score(block: slice) -> FloatArray:
            if self._cancelled.is_set() or time.monotonic() > late_s:
                raise ScoringLateError(f"about {block.start} of {len(heads)} candidates scored in time")
            own = np.asarray(heads[block, :from_heads], dtype=np.float32)
            samples = np.concatenate([np.broadcast_to(seam, (len(own), len(seam))), own], axis=1)
            sums, _ = self._recurrence.run(samples, output, state)
            logits = self._constant + before + sums
            return (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)

        parts = list(self._workers.map(score, _blocks(len(heads), self._threads)))
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def _after_tail(self, tail: FloatArray) -> tuple[float, RecurrentState]:
        """Return what the steps that see the tail alone add, and the state that they leave."""
        silent = RecurrentState.zero(self._recurrence.padded_units)
        samples = tail[np.newaxis, : 2 * self._own_steps + 1]
        sums, after = self._recurrence.run(samples, self._output[: self._own_steps], silent)
        return float(sums[0]), RecurrentState(hidden=after.hidden[0], cell=after.cell[0])


def _blocks(count: int, threads: int) -> list[slice]:
    """Cut `count` rows into blocks of about one size, of whole tiles, as many as keep all threads busy."""
    rounds = -(-count // (threads * BLOCK_ROWS))
    tiles = -(-count // TILE_ROWS)
    bounds = [tiles * place // max(1, rounds * threads) * TILE_ROWS for place in range(rounds * threads)]
    return [slice(first, last) for first, last in itertools.pairwise([*bounds, count]) if first < last]
