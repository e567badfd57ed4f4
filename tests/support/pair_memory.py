"""This helper measures, in a process of its own, what memory a graph holds that has scored pairs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from stream.index.graphs import open_session, row_bytes
from stream.scoring.pair_scorer import PairScorer, batch_rows
from tools.bench.process import resident_mb


class _Edges(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.heads)


def held_mb(path: str, edge_samples: int, pairs: int) -> float | None:
    """Return by how much this process grew while it scored, in MB; None where the system does not tell."""
    noise = np.random.default_rng(0).uniform(-1, 1, (pairs, edge_samples)).astype(np.float32)
    index: Any = _Edges(edge_samples=edge_samples, heads=noise, tails=noise)
    scorer = PairScorer(open_session(Path(path), threads=1), index, batch=batch_rows(row_bytes(Path(path))))
    before = resident_mb()
    scorer.score(0)
    after = resident_mb()
    return None if before is None or after is None else after - before
