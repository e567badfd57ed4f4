"""The network taken apart scores like Keras and like the unsplit graph."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.approaches.binary.export import export_binary
from model.approaches.binary.networks import fast_network, seed_network
from model.approaches.binary.split import SplitWeights, score_split, split_weights
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.vector_tiles import tanh
from model.features.edges import EDGE_RATE_HZ, chunk_edges
from model.learning.export import to_onnx
from stream.audio.decode import decode
from stream.index.graphs import open_session, row_bytes
from stream.pool.pool import Pool
from stream.scoring.pair_scorer import BATCH_BYTES, BATCH_ROWS, PairScorer, batch_rows
from stream.scoring.recurrence import Recurrence, RecurrentState
from stream.scoring.scorer import ScoringLateError
from stream.scoring.split_scorer import BLOCK_ROWS, SplitScorer, _blocks
from tests.support.models import scorer_of
from tests.support.pools import make_pool, noise_song
from tests.support.report_networks import network_of, shaken
from tools.bench.isolated import run_isolated

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Edges:
    """What a scorer reads of an edge index."""

    tails: FloatArray
    heads: FloatArray

    def __len__(self) -> int:
        return len(self.heads)

    @property
    def edge_samples(self) -> int:
        return self.heads.shape[1]


def noise_index(edge: int, count: int, seed: int = 0) -> Edges:
    rng = np.random.default_rng(seed)
    tails, heads = rng.normal(0, 0.4, (2, count, edge)).astype(np.float32)
    # Silence, a constant and a ramp lie on the bends; audio is full of them.
    heads[:3] = np.stack([np.zeros(edge), np.full(edge, 0.5), np.linspace(-1, 1, edge)])[:count]
    tails[0] = 0.0
    return Edges(tails, heads)


def split_scorer(network: Any, index: Edges, *, threads: int = 2) -> SplitScorer:
    return SplitScorer(vars(split_weights(network)), index, threads=threads)


def pairs_of(index: Edges, reference: int) -> FloatArray:
    tails = np.broadcast_to(index.tails[reference], index.heads.shape)
    return np.concatenate([tails, index.heads], axis=1)[:, :, np.newaxis]


def keras_scores(network: Any, pairs: FloatArray) -> FloatArray:
    return np.asarray(network(pairs, training=False))[:, 0]


@settings(max_examples=12)
@given(
    edge=st.integers(2, 40),
    filters=st.integers(1, 20),
    units=st.integers(1, 36),
    dense=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_it_equals_keras_for_any_edge_and_size(
    edge: int, filters: int, units: int, dense: int, seed: int
) -> None:
    network = network_of(edge, filters, units, dense, seed)
    index = noise_index(edge, 7, seed)
    scorer = split_scorer(network, index)
    for reference in (0, 4):
        pairs = pairs_of(index, reference)
        expected = keras_scores(network, pairs)
        np.testing.assert_allclose(scorer.score(reference), expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(
            score_split(split_weights(network), pairs), expected, rtol=0, atol=TOLERANCE
        )


@pytest.mark.parametrize("edge", [2, 3, 30, 31])
def test_it_equals_the_unsplit_graph(edge: int, tmp_path: Path) -> None:
    network = network_of(edge, 24, 20, 6, edge)
    index = noise_index(edge, 300, edge)
    path = tmp_path / "pair.onnx"
    path.write_bytes(to_onnx(network, "pair", (2 * edge, 1), "score"))
    unsplit, split = PairScorer(open_session(path, threads=1), index), split_scorer(network, index)
    for reference in (0, 1, 299):
        scores = split.score(reference)
        np.testing.assert_allclose(scores, unsplit.score(reference), rtol=0, atol=TOLERANCE)
        assert np.ptp(scores) > 100 * TOLERANCE


def test_batches_of_the_unsplit_graph_are_bounded_by_what_it_makes_of_a_pair(tmp_path: Path) -> None:
    network = shaken(seed_network(24), 1)
    noise = np.random.default_rng(0).uniform(-1, 1, (3, 48, 1)).astype(np.float32)
    # Without its split graph, as of a preset that has none.
    export_binary(network, tmp_path, preset="fast", edge_samples=24, examples=noise, training={}, metrics={})
    pool = make_pool(tmp_path / "pool", [noise_song(9.0, seed) for seed in (0, 1)])
    scorer, index = scorer_of(tmp_path, pool, threads=1)
    assert isinstance(scorer, PairScorer)
    made = row_bytes(tmp_path / "pair.onnx")
    # Filters times samples of the convolution alone.
    assert made > 4 * 1024 * 47
    assert len(scorer._pairs) == batch_rows(made) == BATCH_BYTES // made < BATCH_ROWS
    assert batch_rows(1) == BATCH_ROWS and batch_rows(10 * BATCH_BYTES) == 1
    expected = keras_scores(network, pairs_of(Edges(index.tails, index.heads), 1))
    np.testing.assert_allclose(scorer.score(1), expected, rtol=0, atol=TOLERANCE)


def test_the_unsplit_graph_holds_no_more_memory_than_it_may(tmp_path: Path) -> None:
    path = tmp_path / "pair.onnx"
    path.write_bytes(to_onnx(seed_network(220), "pair", (440, 1), "score"))
    held_mb = run_isolated("tests.support.pair_memory:held_mb", path=path, edge_samples=220, pairs=48)
    assert held_mb is None or held_mb <= 200


@pytest.mark.parametrize("edge", [440, 441])
def test_the_whole_network_on_real_edges(edge: int, shared_music: Path) -> None:
    song = min(shared_music.rglob("*.mp3"), key=lambda path: path.stat().st_size)
    audio, rate = decode(song)
    chunks = np.array_split(audio[: 30 * rate], 20)
    edges = [chunk_edges(chunk, rate, edge) for chunk in chunks]
    index = Edges(np.stack([tail[0] for _, tail in edges]), np.stack([head[0] for head, _ in edges]))
    network = shaken(seed_network(edge), 1)
    expected = keras_scores(network, pairs_of(index, 3))
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(split_scorer(network, index).score(3), expected, rtol=0, atol=TOLERANCE)


def test_filters_that_bend_nowhere_alike_or_on_an_axis() -> None:
    network = network_of(9, 8, 5, 3, 0)
    weights = network.get_weights()
    weights[0][:, 0, :] = np.array([[0, 0, 1, -1, 1, 1, -2, 0], [0, 1, 0, 0, -1, -1, 2, -3]])
    network.set_weights(weights)
    rng = np.random.default_rng(0)
    # Steps of whole numbers: many windows lie exactly on a bend.
    pairs = rng.integers(-2, 3, (200, 18, 1)).astype(np.float32)
    index = Edges(pairs[:, :9, 0], pairs[:, 9:, 0])
    expected = keras_scores(network, pairs_of(index, 0))
    np.testing.assert_allclose(split_scorer(network, index).score(0), expected, rtol=0, atol=TOLERANCE)


def test_a_score_is_the_same_bit_for_bit_whatever_is_scored_beside_it() -> None:
    network = network_of(12, 10, 18, 3, 0)
    index = noise_index(12, 2 * BLOCK_ROWS + 17)
    full = split_scorer(network, index).score(5)
    some = np.array([3, 270, 7, 3, 131], dtype=np.int64)
    np.testing.assert_array_equal(split_scorer(network, index).score(5, some), full[some])
    np.testing.assert_array_equal(split_scorer(network, index, threads=3).score(5), full)
    assert split_scorer(network, index).score(5, np.empty(0, dtype=np.int64)).shape == (0,)


def test_rows_are_kept_and_late_ones_are_not() -> None:
    scorer = split_scorer(network_of(12, 10, 18, 3, 0), noise_index(12, 50))
    assert scorer.kept(1) is None
    with pytest.raises(ScoringLateError, match="of 50 candidates"):
        scorer.score(1, timeout_s=-1.0)
    assert scorer.kept(1) is None
    row = scorer.score(1, timeout_s=60.0)
    assert scorer.score(1, timeout_s=-1.0) is row and scorer.kept(1) is row
    assert not row.flags.writeable
    scorer.cancel()
    with pytest.raises(ScoringLateError):
        scorer.score(2)


@given(count=st.integers(0, 5000), threads=st.integers(1, 9))
def test_blocks_cover_each_row_once_and_are_even(count: int, threads: int) -> None:
    blocks = _blocks(count, threads)
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(count))
    sizes = [block.stop - block.start for block in blocks]
    assert all(size <= BLOCK_ROWS for size in sizes)
    if count > threads * BLOCK_ROWS:
        assert len(blocks) % threads == 0 and max(sizes) - min(sizes) < 2 * 6


def test_the_hyperbolic_tangent() -> None:
    x = np.linspace(-12.0, 12.0, 20_001).astype(np.float32)
    found = np.array([tanh(value) for value in x])
    expected = np.tanh(x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=5e-7, atol=1e-12)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    songs = [noise_song(12, seed) for seed in range(2)]
    return make_pool(tmp_path_factory.mktemp("split"), songs, chunk_s=0.5)


def export(network: Any, folder: Path, preset: str, edge: int) -> Path:
    folder.mkdir(exist_ok=True)
    examples = np.random.default_rng(0).normal(0, 0.3, (9, 2 * edge, 1)).astype(np.float32)
    exported = export_binary(
        network, folder, preset=preset, edge_samples=edge, examples=examples, training={}, metrics={}
    )
    assert all(path.is_file() for path in exported.files)
    return folder


def test_an_exported_model_is_scored_split_and_only_where_it_can_be(pool: Pool, tmp_path: Path) -> None:
    edge = EDGE_RATE_HZ // 10
    network = network_of(edge, 12, 10, 4, 3)
    folder = export(network, tmp_path / "model", "seed", edge)
    scorer, index = scorer_of(folder, pool)
    assert isinstance(scorer, SplitScorer)
    unsplit = PairScorer(open_session(folder / "pair.onnx", threads=1), index)
    np.testing.assert_allclose(scorer.score(7), unsplit.score(7), rtol=0, atol=TOLERANCE)
    export(shaken(fast_network(edge), 0, 0.01), folder, "fast", edge)
    assert not (folder / "split.onnx").exists()
    assert isinstance(scorer_of(folder, pool)[0], PairScorer)


def test_an_export_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(6, 4, 3, 2, 0)

    def wrong(network: Any) -> SplitWeights:
        weights = split_weights(network)
        weights.constant[0] += 1e-3
        return weights

    monkeypatch.setattr("model.approaches.binary.export.split_weights", wrong)
    with pytest.raises(ModelError, match=r"split\.onnx differs from Keras"):
        export(network, tmp_path, "seed", 6)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelError, match="only the report's network"):
        split_weights(fast_network(100))
    with pytest.raises(ModelError, match="edges of 13 samples"):
        split_scorer(network_of(12, 4, 3, 2, 0), noise_index(13, 3))
    weights = split_weights(network_of(12, 4, 3, 2, 0))
    recurrence = Recurrence.of(weights.bounds, weights.linear, weights.bends, weights.recurrent)
    state = RecurrentState.zero(recurrence.padded_units)
    with pytest.raises(ValueError, match="do not fit"):
        recurrence.run(np.zeros((2, 9), np.float32), recurrence.padded(weights.output), state)
