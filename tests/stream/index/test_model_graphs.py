"""Chunks are sorted by the transition into them, as NumPy has it, and stay there while it is the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import ModelError, PoolError
from model.saved.contract_file import load_contract
from model.saved.walk import class_vectors
from stream.index.metrics import LEVELS, STEPS_PER_NAT, kept_nats
from stream.index.model_graphs import BucketGraphs, Chunks
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import embeddings, pool_embeddings
from stream.pool.pool import Pool, generation_folder
from tests.support.models import scorer_of, tiny_logits, write_tiny_buckets, write_tiny_towers
from tests.support.pools import make_pool, noise_song

EDGE = 200
WALK = (0, 1, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    songs = [noise_song(8, seed) for seed in range(3)]
    return make_pool(tmp_path_factory.mktemp("graphs"), songs, chunk_s=0.5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_buckets(tmp_path_factory.mktemp("model") / "buckets", walk=WALK)


def transitions(pool: Pool) -> FloatArray:
    """What leads into each chunk: its song's chunk before it, or the last one into the first."""
    seen = []
    for row, song in enumerate(pool.chunk_song.tolist()):
        own = np.flatnonzero(pool.chunk_song == song).tolist()
        before = own[own.index(row) - 1]
        seen.append(np.concatenate([pool.tails[before, 0, -EDGE:], pool.heads[row, 0, :EDGE]]))
    return np.stack(seen)


def test_a_chunk_is_sorted_by_the_transition_into_it(pool: Pool, model: Path) -> None:
    index = pool_embeddings(pool, model, load_contract(model))
    expected = class_vectors(tiny_logits(model, transitions(pool)), WALK)
    assert_kept(index, expected.starts)
    scorer, _ = scorer_of(model, pool)
    chance = np.log(np.exp(expected.ends[3]) @ np.exp(expected.starts).T)
    probability = 1.0 / (1.0 + np.exp(-(0.5 * chance - 1.0)))
    np.testing.assert_allclose(scorer.score(3), probability, atol=0.01)


def assert_kept(index: EmbeddingIndex, starts: FloatArray) -> None:
    """Logarithms are kept in steps of a sixteenth, down to where nothing matters."""
    bounded = np.maximum(starts, -2 * LEVELS / STEPS_PER_NAT)
    nats = kept_nats(index.successors[:, : index.width])
    np.testing.assert_allclose(nats, bounded, atol=0.51 / STEPS_PER_NAT)


def test_what_was_sorted_is_kept_and_taken_over_where_the_transition_is_the_same(
    pool: Pool, model: Path
) -> None:
    contract = load_contract(model)
    graphs = BucketGraphs(folder=model, contract=contract)
    whole = pool_embeddings(pool, model, contract)
    home = generation_folder(pool.folder, pool.generation)
    # The second song has lost its first chunk: another one is now entered from its last.
    left = np.flatnonzero(np.arange(len(pool)) != np.flatnonzero(pool.chunk_song == 1)[0])
    shorter = taken(pool, left)
    found = embeddings(graphs.pool_chunks(shorter), graphs, [home], threads=1)
    assert (found.reused, found.computed) == (len(pool) - 2, 1)
    entered_anew = int(np.flatnonzero(shorter.chunk_song == 1)[0])
    same = np.arange(len(shorter)) != entered_anew
    np.testing.assert_array_equal(found.index.successors[same], whole.successors[left][same])
    expected = class_vectors(tiny_logits(model, transitions(shorter)), WALK)
    assert_kept(found.index, expected.starts)


def test_some_of_them_are_sorted_as_all_are(pool: Pool, model: Path) -> None:
    graphs = BucketGraphs(folder=model, contract=load_contract(model))
    chunks: Chunks = graphs.pool_chunks(pool)
    whole: EmbeddingIndex = embeddings(chunks, graphs, threads=1).index
    rows = np.array([16, 5, 0])
    part = embeddings(chunks.take(rows), graphs, threads=1).index
    np.testing.assert_array_equal(part.successors, whole.successors[rows])


def test_another_walk_is_another_model(model: Path) -> None:
    contract = load_contract(model)
    other = BucketGraphs(folder=model, contract=replace(contract, walk=WALK[1:]))
    assert other.name != BucketGraphs(folder=model, contract=contract).name


def test_edges_that_are_too_short_and_other_graphs_are_refused(pool: Pool, tmp_path: Path) -> None:
    long = write_tiny_buckets(tmp_path / "long", edge_samples=pool.edge_samples + 1)
    with pytest.raises(PoolError, match="longer --edge-s"):
        pool_embeddings(pool, long, load_contract(long))
    model = write_tiny_buckets(tmp_path / "model")
    towers = load_contract(write_tiny_towers(tmp_path / "towers", features="edges"))
    graphs = {"classes": replace(load_contract(model).graphs["classes"], inputs=towers.graphs["ends"].inputs)}
    with pytest.raises(ModelError, match=r"a graph for its classes that sees"):
        BucketGraphs(folder=model, contract=replace(load_contract(model), graphs=graphs))


def taken(pool: Pool, rows: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Pool:
    """The pool with some of its chunks, as its next generation."""
    names = ("chunk_song", "start_sample", "end_sample", "loudness_db", "fingerprints", "heads", "tails")
    columns = {name: getattr(pool, name)[rows] for name in names}
    return replace(pool, generation=2, traits=pool.traits.take(rows), **columns)
