"""This benchmark times the edge index (start, masks, distances, shortlist) over 10^3 to 10^6 chunks."""

import argparse
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.record import record
from model.base.arrays import BoolArray, IntArray
from stream.choosing.history import Course
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import entries
from stream.index.edge_index import EdgeIndex
from stream.index.metrics import Metric
from stream.index.vector_index import EmbeddingIndex

BUDGET_P99_MS = 100.0
BUDGET_OPEN_MS = 1000.0
"""Budgets of a decision and of the start, at 10^6 chunks on two cores."""
SHORTLISTED = 256
CHUNKS_PER_SONG = 50
NO_REPEAT_SHARE = 0.25
PEER_REPEATS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--widths", type=int, nargs="+", default=[12, 128, 240])
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3, help="on a shared machine one run says little")
    arguments = parser.parse_args()
    print(
        f"{'chunks':>8} {'values':>6} {'open':>6} {'first':>7} {'p50':>7} {'p95':>7} {'p99':>7} {'max':>7} "
        f"{'CPU p50':>7} {'p99':>6} {'1 thr.':>7} {'2 thr.':>7} "
        f"{'float32':>7}   ms, then MiB {'index':>6} {'working':>7}"
    )
    rows: list[dict[str, float]] = []
    for chunks in arguments.chunks:
        for width in arguments.widths:
            for run in range(arguments.runs):
                with tempfile.TemporaryDirectory() as folder:
                    row = _measure(Path(folder) / "embeddings", chunks, width, arguments.repeats)
                rows.append({"run": run, **{name: round(value, 3) for name, value in row.items()}})
                print(
                    f"{chunks:>8} {width:>6} {row['open_ms']:>6.1f} {row['first_ms']:>7.1f} "
                    f"{row['p50_ms']:>7.2f} {row['p95_ms']:>7.2f} {row['p99_ms']:>7.2f} "
                    f"{row['max_ms']:>7.2f} {row['cpu_p50_ms']:>7.2f} {row['cpu_p99_ms']:>6.2f} "
                    f"{row['one_thread_p50_ms']:>7.2f} "
                    f"{row['two_threads_p50_ms']:>7.2f} "
                    f"{row['float32_p50_ms']:>7.2f} {row['index_mib']:>20.1f} {row['working_mib']:>7.1f}",
                    flush=True,
                )
    print(f"budget at 10^6 on two cores: p99 {BUDGET_P99_MS:.0f} ms, open {BUDGET_OPEN_MS:.0f} ms")
    figures = {"shortlisted": SHORTLISTED, "repeats": arguments.repeats, "load": os.getloadavg()[0]}
    record("index", {**figures, "rows": rows})


class _Stream:
    """Decides over chunks of random embeddings; a quarter of them was played lately, some are banned."""

    def __init__(self, embeddings: EmbeddingIndex) -> None:
        chunks = len(embeddings)
        self._embeddings = embeddings
        song = np.arange(chunks) // CHUNKS_PER_SONG
        no_edges = np.zeros((chunks, 1), dtype=np.float32)
        self._index = EdgeIndex(
            heads=no_edges, tails=no_edges, bands=embeddings, song=song, successor=np.full_like(song, -1)
        )
        self._window = int(NO_REPEAT_SHARE * chunks)
        self._course = Course.new(chunks)
        rows = np.arange(chunks, dtype=np.int32)
        self._phrases = Phrases(
            first_exit=rows,
            last_exit=rows,
            entry=np.ones(chunks, dtype=np.bool_),
            goes_on=np.zeros(chunks, dtype=np.bool_),
        )
        for row in np.random.default_rng(1).permutation(chunks)[: self._window].tolist():
            self._course.follow(row, goes_on=False, other_song=True, share=0.0)
        self._banned: BoolArray = song % 100 == 7

    def decide(self, reference: int) -> IntArray:
        """One whole decision: repeat rules, bans, another song, distances to all, shortlist."""
        here = entries(self._course, self._phrases, self._banned, window=self._window, after=reference)
        mask = here.allowed
        mask &= self._index.song != self._index.song[reference]
        rows, _ = self._embeddings.shortlist(reference, mask, SHORTLISTED)
        self._course.follow(int(rows[0]), goes_on=False, other_song=True, share=0.0)
        return rows


def _measure(folder: Path, chunks: int, width: int, repeats: int) -> dict[str, float]:
    _write(folder, chunks, width)
    _forget(folder)
    began_s = time.perf_counter()
    embeddings = EmbeddingIndex.open(folder, chunks=chunks, key="synthetic")
    open_ms = (time.perf_counter() - began_s) * 1e3
    stream = _Stream(embeddings)
    # The first decision reads the file; it also compiles, where nothing has been compiled yet.
    first_ms, _ = _timed(lambda: stream.decide(0))
    references = np.random.default_rng(2).integers(0, chunks, repeats).tolist()
    timed = np.array([_timed(partial(stream.decide, row)) for row in references])
    tracemalloc.start()
    stream.decide(1)
    working_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    p50, p95, p99, most = np.percentile(timed[:, 0], [50, 95, 99, 100])
    return {
        "chunks": chunks,
        "width": width,
        "open_ms": open_ms,
        "first_ms": first_ms,
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "p99_ms": float(p99),
        "max_ms": float(most),
        "cpu_p50_ms": float(np.median(timed[:, 1])),
        "cpu_p99_ms": float(np.percentile(timed[:, 1], 99)),
        "one_thread_p50_ms": _median_ms(lambda: embeddings.scores(0)),
        "two_threads_p50_ms": _two_threads_ms(embeddings),
        "float32_p50_ms": _float32_ms(chunks, embeddings.successors.shape[1] // 4),
        "index_mib": embeddings.bytes / 2**20,
        "working_mib": working_bytes / 2**20,
    }


def _write(folder: Path, chunks: int, width: int) -> None:
    metric: Metric = "l1" if width == 12 else "dot"
    rng = np.random.default_rng(0)
    sample = EmbeddingIndex.quantised(
        *rng.normal(size=(2, 1, width)).astype(np.float32), metric=metric, key=""
    )
    sides = [rng.integers(-127, 128, (chunks, sample.successors.shape[1]), dtype=np.int8) for _ in range(2)]
    scales = np.full(chunks, 0.01, dtype=np.float32)
    EmbeddingIndex(
        metric=metric,
        width=width,
        key="synthetic",
        predecessors=sides[0],
        predecessor_scales=scales,
        successors=sides[1],
        successor_scales=scales,
    ).write(folder)


def _forget(folder: Path) -> None:
    """Have the system drop the files from memory, so that opening is measured from the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall time and this thread's processor time, in ms."""
    began_s, began_cpu_s = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - began_s) * 1e3, (time.thread_time() - began_cpu_s) * 1e3


def _median_ms(work: Callable[[], object]) -> float:
    work()
    return float(np.median([_timed(work)[0] for _ in range(PEER_REPEATS)]))


def _two_threads_ms(embeddings: EmbeddingIndex) -> float:
    """All scores by two threads, half of the rows each; compare with `one_thread_p50_ms`."""
    half = len(embeddings) // 2
    halves = [
        EmbeddingIndex(
            metric=embeddings.metric,
            width=embeddings.width,
            key="",
            predecessors=embeddings.predecessors[part],
            predecessor_scales=embeddings.predecessor_scales[part],
            successors=embeddings.successors[part],
            successor_scales=embeddings.successor_scales[part],
        )
        for part in (slice(0, half), slice(half, None))
    ]
    with ThreadPoolExecutor(2) as threads:
        return _median_ms(lambda: list(threads.map(lambda part: part.scores(0), halves)))


def _float32_ms(chunks: int, width: int) -> float:
    """All scores by NumPy's BLAS, of as many bytes: a quarter of the values, in float32."""
    successors = np.random.default_rng(3).normal(size=(chunks, width)).astype(np.float32)
    return _median_ms(lambda: successors @ successors[0])


if __name__ == "__main__":
    main()
