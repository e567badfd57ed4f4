"""This benchmark times the report's exact network over all candidates, split and whole, and its bounds."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from benchmarks.record import record
from model.approaches.binary.export import export_binary
from model.approaches.binary.networks import seed_network
from model.base.arrays import FloatArray, IntArray
from model.base.graph_runtime import onnxruntime
from model.base.kernels import kernel
from model.base.vector_tiles import LANES
from model.features.edges import EDGE_RATE_HZ
from stream.index.edge_index import EdgeIndex
from stream.index.graphs import open_session
from stream.pool.pool import FINGERPRINT_FRAMES, Pool
from stream.pool.song_table import SongTable
from stream.pool.songs import Song
from stream.pool.traits import ChunkTraits
from stream.scoring.lstm_tile import TILE_COLUMNS, TILE_ROWS, add_product
from stream.scoring.opening import open_scorer
from stream.scoring.pair_scorer import BATCH_ROWS, PairScorer
from stream.scoring.recurrence import Recurrence, _look, _open_gates, _project
from stream.scoring.settings import ScoringSettings
from stream.scoring.split_scorer import SplitScorer, _blocks

MOST_OF_BOTH = 1.25
LEAST_OVER_UNSPLIT = 25.0
LEAST_OVER_KERAS = 200.0
UNSPLIT_BATCHES = 4
UNSPLIT_ROWS = 64
"""The report's batch; batches of the pair scorer's size are timed too."""
KERAS_CANDIDATES = 20
SCAN_STEPS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_800)
    parser.add_argument("--edge", type=int, default=440)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    count, edge, threads = arguments.candidates, arguments.edge, arguments.threads
    print(
        f"{count} candidates, edge {edge}, {threads} threads, medians of {arguments.repeats} rounds; "
        f"load average {os.getloadavg()[0]:.1f} over {os.cpu_count()} cores before the start"
    )
    pool = _pool(count, edge)
    network = seed_network(edge)
    rng = np.random.default_rng(0)
    # Scores of a network that was just built lie too close together to show a difference.
    network.set_weights([weight + rng.normal(0, 0.02, weight.shape) for weight in network.get_weights()])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples = np.stack([_pair(pool, 0, row) for row in range(4)])
        export_binary(
            network, folder, preset="seed", edge_samples=edge, examples=examples, training={}, metrics={}
        )
        opened = open_scorer(pool, ScoringSettings(model=folder, threads=threads))
        split, index = opened.scorer, opened.index
        assert isinstance(split, SplitScorer)
        unsplit = PairScorer(open_session(folder / "pair.onnx", threads=threads), index)
    works = _works(network, pool, index, split, unsplit, threads)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for round_ in range(arguments.repeats + 1):
        for name, (work, whole) in works.items():
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            work(round_)
            wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
            # The first round compiles and warms up.
            if round_:
                taken[name].append((wall_s * whole, cpu_s * whole))
    rows = np.arange(64)
    difference = float(np.abs(split.score(0, rows) - unsplit.score(0, rows)).max())
    _report(taken, difference, vars(arguments))


def _works(
    network: Any, pool: Pool, index: EdgeIndex, split: SplitScorer, unsplit: PairScorer, threads: int
) -> dict[str, tuple[Callable[[int], object], float]]:
    """Return what is timed: a function of the round, and how often it would have to be done for all."""
    count = len(pool)
    parts = _Parts(split, index, threads)
    head_steps = index.edge_samples // 2
    wide = np.arange(BATCH_ROWS) % count
    scan = _scan(split, count, threads)

    def in_batches(round_: int) -> None:
        for first in range(0, UNSPLIT_BATCHES * UNSPLIT_ROWS, UNSPLIT_ROWS):
            unsplit.score(round_, np.arange(first, first + UNSPLIT_ROWS) % count)

    def keras_predict(round_: int) -> None:
        for row in range(KERAS_CANDIDATES):
            network.predict(_pair(pool, round_, row)[np.newaxis], verbose=0)

    return {
        "products": (lambda _: parts.products(), 1.0),
        "gates": (lambda _: parts.gates(), 1.0),
        "split": (lambda round_: split.score(round_), 1.0),
        "scan": (lambda _: scan(), head_steps / SCAN_STEPS),
        "unsplit": (in_batches, count / (UNSPLIT_BATCHES * UNSPLIT_ROWS)),
        "unsplit_wide": (lambda round_: unsplit.score(round_, wide), count / len(wide)),
        "keras": (keras_predict, count / KERAS_CANDIDATES),
    }


class _Parts:
    """Matrix products alone and gates alone (with their projections), in the blocks of the scorer."""

    def __init__(self, split: SplitScorer, index: EdgeIndex, threads: int) -> None:
        self._recurrence = split._recurrence
        self._output = split._output[split._own_steps :]
        samples = 2 * len(self._output) + 1
        self._samples = np.resize(index.heads, (len(index), samples))
        self._blocks = _blocks(len(index), threads)
        self._workers = ThreadPoolExecutor(threads)

    def products(self) -> None:
        """Run `h U` for every step and candidate."""
        list(self._workers.map(self._products, self._blocks))

    def gates(self) -> None:
        """Run the rest of every step for every candidate."""
        list(self._workers.map(self._gates, self._blocks))

    def _products(self, block: slice) -> None:
        hidden, _ = self._state(block)
        _only_products(hidden, self._recurrence.recurrent, len(self._output))

    def _gates(self, block: slice) -> None:
        weights, (hidden, samples) = self._recurrence, self._state(block)
        cell = np.zeros_like(hidden)
        _only_gates(samples, weights.bounds, weights.linear, weights.bends, self._output, hidden, cell)

    def _state(self, block: slice) -> tuple[FloatArray, FloatArray]:
        rows = -(-(block.stop - block.start) // TILE_ROWS) * TILE_ROWS
        samples = np.resize(self._samples[block], (rows, self._samples.shape[1]))
        return np.full((rows, self._recurrence.padded_units), 0.1, dtype=np.float32), samples


@kernel
def _only_products(hidden: FloatArray, recurrent: FloatArray, steps: int) -> FloatArray:
    count = len(hidden)
    tile = np.zeros((TILE_ROWS, TILE_COLUMNS), dtype=np.float32)
    for _ in range(steps):
        for group in range(len(recurrent)):
            for first in range(0, count, TILE_ROWS):
                add_product(tile, 0, 0, hidden, first, recurrent, group)
    return tile


@kernel
def _only_gates(
    samples: FloatArray,
    bounds: FloatArray,
    linear: FloatArray,
    bends: FloatArray,
    output: FloatArray,
    hidden: FloatArray,
    cell: FloatArray,
) -> None:
    count = len(hidden)
    tile = np.zeros((TILE_ROWS, TILE_COLUMNS), dtype=np.float32)
    windows = np.empty((count, 5), dtype=np.float32)
    cases: IntArray = np.empty(count, dtype=np.int64)
    parts = np.zeros((count, LANES), dtype=np.float32)
    for step in range(len(output)):
        _look(samples, step, bounds, windows, cases)
        adds = output[step]
        for group in range(len(linear)):
            straight, bent = linear[group], bends[group]
            for first in range(0, count, TILE_ROWS):
                _project(windows, cases, first, straight, bent, tile)
                _open_gates(tile, first, group * LANES, cell, hidden, adds, parts)


def _scan(split: SplitScorer, count: int, threads: int) -> Callable[[], object]:
    """The other way: the same recurrence as an ONNX `Scan`, projections given, `SCAN_STEPS` of its steps."""
    weights: Recurrence = split._recurrence
    units = weights.units
    rng = np.random.default_rng(0)
    recurrent = rng.normal(0, 0.05, (units, 4 * units)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["h", "recurrent"], ["product"]),
        helper.make_node("Add", ["product", "x"], ["z"]),
        helper.make_node("Split", ["z"], ["zi", "zf", "zg", "zo"], axis=1, num_outputs=4),
        helper.make_node("Sigmoid", ["zi"], ["i"]),
        helper.make_node("Sigmoid", ["zf"], ["f"]),
        helper.make_node("Tanh", ["zg"], ["g"]),
        helper.make_node("Sigmoid", ["zo"], ["o"]),
        helper.make_node("Mul", ["f", "c"], ["kept"]),
        helper.make_node("Mul", ["i", "g"], ["new"]),
        helper.make_node("Add", ["kept", "new"], ["c_out"]),
        helper.make_node("Tanh", ["c_out"], ["shown"]),
        helper.make_node("Mul", ["o", "shown"], ["h_out"]),
    ]

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    state = (count, units)
    body = helper.make_graph(
        nodes,
        "step",
        [value("h", *state), value("c", *state), value("x", count, 4 * units)],
        [value("h_out", *state), value("c_out", *state)],
        [numpy_helper.from_array(recurrent, "recurrent")],
    )
    graph = helper.make_graph(
        [helper.make_node("Scan", ["h0", "c0", "xs"], ["hn", "cn"], body=body, num_scan_inputs=1)],
        "scan",
        [value("h0", *state), value("c0", *state), value("xs", SCAN_STEPS, count, 4 * units)],
        [value("hn", *state), value("cn", *state)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    zero = np.zeros(state, dtype=np.float32)
    feed = {"h0": zero, "c0": zero, "xs": rng.normal(size=(SCAN_STEPS, count, 4 * units)).astype(np.float32)}
    return lambda: session.run(["hn"], feed)


def _report(taken: dict[str, list[tuple[float, float]]], difference: float, settings: dict[str, int]) -> None:
    times = {name: np.array(values) for name, values in taken.items()}
    ratios = {
        "of_both": times["split"] / (times["products"] + times["gates"]),
        "over_unsplit": times["unsplit"] / times["split"],
        "over_unsplit_wide": times["unsplit_wide"] / times["split"],
        "over_keras": times["keras"] / times["split"],
        "over_scan": times["scan"] / times["split"],
    }
    print(f"\n{'':46} {'median':>9} {'least':>9} {'CPU':>9}  s")
    for name, words in (
        ("products", "matrix products alone"),
        ("gates", "projections, gates and output alone"),
        ("split", "split score, a reference not scored before"),
        ("unsplit", f"unsplit graph (from {UNSPLIT_BATCHES} batches of {UNSPLIT_ROWS})"),
        ("unsplit_wide", f"unsplit graph (from 1 batch of {BATCH_ROWS})"),
        ("keras", f"Keras predict one by one (from {KERAS_CANDIDATES})"),
        ("scan", f"recurrence alone as ONNX Scan (from {SCAN_STEPS} steps)"),
    ):
        wall, cpu = times[name].T
        print(f"{words:46} {np.median(wall):9.3f} {wall.min():9.3f} {np.median(cpu):9.3f}")
    print(f"\n{'medians of the ratios in each round':46} {'wall':>9} {'CPU':>9}")
    for name, words, bound in (
        ("of_both", "split / (products + gates)", f"<= {MOST_OF_BOTH}"),
        ("over_unsplit", f"unsplit in batches of {UNSPLIT_ROWS} / split", f">= {LEAST_OVER_UNSPLIT:.0f}"),
        ("over_unsplit_wide", f"unsplit in batches of {BATCH_ROWS} / split", ""),
        ("over_keras", "Keras one by one / split", f">= {LEAST_OVER_KERAS:.0f}"),
        ("over_scan", "Scan / split", ""),
    ):
        wall, cpu = np.median(ratios[name], axis=0)
        print(f"{words:46} {wall:9.2f} {cpu:9.2f} {bound:>9}")
    print(f"largest difference from the unsplit graph: {difference:.1e}")
    figures: dict[str, object] = {**settings, "difference": difference}
    for name, values in times.items():
        wall, cpu = values.T
        figures[f"{name}_s"] = round(float(np.median(wall)), 4)
        figures[f"{name}_least_s"] = round(float(wall.min()), 4)
        figures[f"{name}_cpu_s"] = round(float(np.median(cpu)), 4)
    for name, values in ratios.items():
        wall, cpu = np.median(values, axis=0)
        figures[f"ratio_{name}"], figures[f"ratio_{name}_cpu"] = round(float(wall), 3), round(float(cpu), 3)
    figures["extrapolated"] = ["unsplit", "unsplit_wide", "keras", "scan"]
    figures["load_average"] = round(os.getloadavg()[0], 1)
    record("split_scorer", figures)


def _pair(pool: Pool, reference: int, row: int) -> FloatArray:
    return np.concatenate([pool.tails[reference, 0], pool.heads[row, 0]])[:, np.newaxis]


def _pool(count: int, edge: int) -> Pool:
    """A pool in memory whose edges are noise that falls with frequency, as music does."""
    rng = np.random.default_rng(0)
    frequencies_hz = np.maximum(np.fft.rfftfreq(2 * edge, 1 / EDGE_RATE_HZ), 40.0)
    spectrum = np.fft.rfft(rng.normal(size=(2 * count, 2 * edge))) / frequencies_hz
    noise = np.fft.irfft(spectrum)[:, :edge]
    edges = (0.2 * noise / noise.std()).clip(-1, 1).astype(np.float32).reshape(2, count, 1, edge)
    song = Song(
        song_id=0,
        path=Path("noise"),
        name="noise",
        audio_hash="noise",
        sample_rate_hz=44_100,
        channels=2,
        frames=count,
        title="",
        artist="",
        album="",
        loudness_lufs=-16.0,
        true_peak_db=-1.0,
        seekable=True,
        cut="",
    )
    return Pool(
        folder=Path(tempfile.gettempdir()) / "no-pool",
        generation=1,
        complete=True,
        songs=SongTable([song]),
        chunk_song=np.zeros(count, dtype=np.int32),
        start_sample=np.arange(count, dtype=np.int64),
        end_sample=np.arange(1, count + 1, dtype=np.int64),
        loudness_db=np.zeros(count, dtype=np.float32),
        fingerprints=np.zeros((count, 2, FINGERPRINT_FRAMES, 2), dtype=np.float32),
        heads=np.repeat(edges[0], 2, axis=1),
        tails=np.repeat(edges[1], 2, axis=1),
        traits=ChunkTraits.unknown(count),
    )


if __name__ == "__main__":
    main()
