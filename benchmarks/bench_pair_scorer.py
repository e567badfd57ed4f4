"""This benchmark measures time and memory of the report's unsplit graph, by the size of a batch."""

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.record import record
from stream.index.graphs import open_session, row_bytes
from stream.scoring.pair_scorer import BATCH_ROWS, PairScorer, batch_rows
from tools.bench.isolated import run_isolated
from tools.bench.process import resident_mb

MOST_MB = 200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=440)
    parser.add_argument("--candidates", type=int, default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        graph = Path(place) / "pair.onnx"
        run_isolated("benchmarks.bench_pair_scorer:write_graph", path=graph, edge=arguments.edge)
        bounded = batch_rows(row_bytes(graph))
        found = {
            rows: run_isolated(
                "benchmarks.bench_pair_scorer:score",
                path=graph,
                edge=arguments.edge,
                candidates=arguments.candidates,
                rows=rows,
            )
            for rows in (bounded, BATCH_ROWS)
        }
    for rows, figures in found.items():
        print(f"batches of {rows:>3}: {figures['ms']:.2f} CPU ms a pair, {figures['mb']:.0f} MB more memory")
    ratio = found[bounded]["ms"] / found[BATCH_ROWS]["ms"]
    print(f"bounded / whole: {ratio:.2f} of the time; budget {MOST_MB:.0f} MB")
    record("pair_scorer", {**vars(arguments), "by_rows": found, "time_ratio": ratio})


def write_graph(path: str, edge: int) -> None:
    """Export the report's network, as it is built."""
    from model.approaches.binary.networks import seed_network
    from model.learning.export import to_onnx

    Path(path).write_bytes(to_onnx(seed_network(edge), "pair", (2 * edge, 1), "score"))


def score(path: str, edge: int, candidates: int, rows: int) -> dict[str, float]:
    """Score all candidates once, and return what that took; in a process of its own."""
    edges: Any = np.random.default_rng(0).uniform(-1, 1, (candidates, edge)).astype(np.float32)
    index: Any = _Index(edge_samples=edge, heads=edges, tails=edges)
    scorer = PairScorer(open_session(Path(path), threads=1), index, batch=rows)
    before_mb, began_s = resident_mb() or 0.0, time.process_time()
    scorer.score(0)
    taken_s = time.process_time() - began_s
    return {"ms": 1000 * taken_s / candidates, "mb": (resident_mb() or 0.0) - before_mb}


class _Index(SimpleNamespace):
    """The edges of an index without a pool."""

    def __len__(self) -> int:
        return len(self.heads)


if __name__ == "__main__":
    main()
