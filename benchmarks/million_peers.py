"""This helper holds our pass over all vectors against the graphs and the flat index of usearch and FAISS.

A graph is built as its package sets it up, and once more with fewer links and a longer search. Graphs are
made for vectors of one length; where these differ in length, a value more can even them out: the nearest by
angle are then those of the largest inner product (Bachrach et al., Speeding up the Xbox recommender system,
RecSys 2014).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.million_pool import sample_references
from model.base.arrays import FloatArray, IntArray
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import pool_embeddings
from stream.pool.pool import open_pool

RECALLED = 64
_TRAINED_ON = 100_000
_THREADS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """What is looked up: `starts` `(n, values)`, `queries` `(m, values)`, and the rows nearest to each."""

    starts: FloatArray
    queries: FloatArray
    truth: list[IntArray]

    def evened(self) -> "_Task":
        """Return it with a value more, by which all starts are of one length, and no product is another."""
        squares = np.square(self.starts).sum(axis=1)
        more = np.sqrt(np.maximum(squares.max() - squares, 0.0))
        starts = np.concatenate([self.starts, more[:, None]], axis=1).astype(np.float32)
        none = np.zeros((len(self.queries), 1), dtype=np.float32)
        return _Task(starts=starts, queries=np.concatenate([self.queries, none], axis=1), truth=self.truth)


def peers(folder: Path, queries: int, sizes: list[int]) -> dict[str, Any]:
    """Look for the nearest `RECALLED` by inner product among so many chunks of a pool, size by size."""
    pool, model = open_pool(folder), carried_model()
    index = pool_embeddings(pool, model, load_contract(model), write=False)
    found: dict[str, Any] = {}
    for size in sizes:
        rows = np.sort(sample_references(len(pool), min(size, len(pool))))
        found[str(len(rows))] = _of_size(index.take(rows), queries)
        print(found, flush=True)
    return found


def _of_size(index: EmbeddingIndex, queries: int) -> dict[str, Any]:
    rows = sample_references(len(index), queries)
    starts, ends = _plain(index, "successor"), _plain(index.take(rows), "predecessor")
    nearest = [np.argsort(-(starts @ end), kind="stable")[:RECALLED] for end in ends]
    task = _Task(starts=starts, queries=ends, truth=nearest)
    found: dict[str, Any] = {"ours": _ours(index, rows, nearest)}
    builds: dict[str, Callable[[], dict[str, float]]] = {
        "usearch, int8": lambda: _usearch(task),
        "usearch, int8, evened": lambda: _usearch(task.evened(), expansion_search=256),
        "usearch, int8, 8 links": lambda: _usearch(
            task, connectivity=8, expansion_add=32, expansion_search=256
        ),
        "FAISS, HNSW, 32 links": lambda: _faiss_graph(task, 32, 40, 128, exact=True),
        "FAISS, HNSW, int8, 12 links": lambda: _faiss_graph(task, 12, 40, 256, exact=False),
        "FAISS, HNSW, int8, 12 links, evened": lambda: _faiss_graph(task.evened(), 12, 40, 256, exact=False),
        "FAISS, flat, int8": lambda: _faiss_flat(task),
    }
    for name, build in builds.items():
        try:
            found[name] = build()
        except ModuleNotFoundError as error:
            found[name] = f"{error.name} is not installed"
        print(name, found[name], flush=True)
    return found


def _plain(index: EmbeddingIndex, side: str) -> FloatArray:
    values = np.asarray(getattr(index, f"{side}s"))[:, : index.width].astype(np.float32)
    plain: FloatArray = values * np.asarray(getattr(index, f"{side}_scales"))[:, np.newaxis]
    return plain


class _Clock:
    """What has passed since it was made: on the wall, and of the processor for all threads."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, float]:
        wall_s, cpu_s = time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s
        return {"build_s": round(wall_s, 1), "build_cpu_s": round(cpu_s, 1)}


def _looked_up(
    find: Callable[[int], IntArray], truth: list[IntArray], built: dict[str, float], size_mb: float
) -> dict[str, float]:
    took_ms, cpu_ms, recalled = [], [], []
    for number, nearest in enumerate(truth):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        rows = find(number)
        took_ms.append((time.perf_counter() - began_s) * 1e3)
        cpu_ms.append((time.process_time() - began_cpu_s) * 1e3)
        recalled.append(len(np.intersect1d(rows, nearest)) / RECALLED)
    return {
        "recall_at_64": round(float(np.mean(recalled)), 4),
        "p50_ms": round(float(np.median(took_ms)), 2),
        "p99_ms": round(float(np.percentile(took_ms, 99)), 2),
        "cpu_p50_ms": round(float(np.median(cpu_ms)), 2),
        "mb": round(size_mb, 1),
        **built,
    }


def _ours(index: EmbeddingIndex, rows: IntArray, truth: list[IntArray]) -> dict[str, float]:
    mask = np.ones(len(index), dtype=np.bool_)
    index.shortlist(0, mask, RECALLED)
    find: Callable[[int], IntArray] = lambda n: index.shortlist(int(rows[n]), mask, RECALLED)[0]  # noqa: E731
    return _looked_up(find, truth, {"build_s": 0.0, "build_cpu_s": 0.0}, index.bytes / 2 / 2**20)


def _usearch(task: _Task, **asked: int) -> dict[str, float]:
    from usearch.index import Index

    index = Index(ndim=task.starts.shape[1], metric="ip", dtype="i8", **asked)
    starts = np.rint(task.starts * (127.0 / np.abs(task.starts).max())).astype(np.int8)
    sought = np.rint(task.queries * (127.0 / np.abs(task.queries).max())).astype(np.int8)
    clock = _Clock()
    index.add(np.arange(len(starts)), starts, threads=_THREADS)
    built = clock.told()
    find = lambda n: np.asarray(index.search(sought[n], RECALLED).keys)  # noqa: E731
    return _looked_up(find, task.truth, built, index.memory_usage / 2**20)


def _faiss_graph(task: _Task, links: int, added: int, searched: int, *, exact: bool) -> dict[str, float]:
    import faiss

    values, metric = task.starts.shape[1], faiss.METRIC_INNER_PRODUCT
    index = (
        faiss.IndexHNSWFlat(values, links, metric)
        if exact
        else faiss.IndexHNSWSQ(values, faiss.ScalarQuantizer.QT_8bit, links, metric)
    )
    index.hnsw.efConstruction, index.hnsw.efSearch = added, searched
    return _of_faiss(faiss, index, task)


def _faiss_flat(task: _Task) -> dict[str, float]:
    import faiss

    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexScalarQuantizer(task.starts.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    return _of_faiss(faiss, index, task)


def _of_faiss(faiss: Any, index: Any, task: _Task) -> dict[str, float]:
    faiss.omp_set_num_threads(_THREADS)
    clock = _Clock()
    if not index.is_trained:
        index.train(task.starts[:_TRAINED_ON])
    index.add(np.ascontiguousarray(task.starts))
    built = clock.told()
    faiss.omp_set_num_threads(1)
    find = lambda n: index.search(task.queries[n : n + 1], RECALLED)[1][0]  # noqa: E731
    return _looked_up(find, task.truth, built, len(faiss.serialize_index(index)) / 2**20)
