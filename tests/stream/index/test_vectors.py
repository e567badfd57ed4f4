"""Embeddings of a pool are the graphs' own, kept, found again, taken over, and need no onnxruntime then."""

import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import stream.index.vectors
from model.base.array_files import ArrayFile
from model.base.errors import ModelError, PoolError
from model.base.stored_rows import StoredRows
from model.saved.contract_file import load_contract, save_contract
from stream.index.edge_index import EdgeIndex
from stream.index.metrics import MAX_WIDTH
from stream.index.model_graphs import SLICE_ROWS, VectorGraphs
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import embeddings, opened, pool_embeddings
from stream.pool.pool import Pool, generation_folder
from stream.scoring.vector_scorer import VectorScorer
from tests.support.models import (
    TINY_CALIBRATION,
    scorer_of,
    tiny_embeddings,
    write_tiny_model,
    write_tiny_towers,
)
from tests.support.pools import make_pool, noise_song
from tests.support.spectra import with_spectra
from tools.pools.check_vectors import embedding_problems

REPOSITORY = Path(__file__).resolve().parents[3]
WIDTH = 24


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    songs = [noise_song(8, seed) for seed in range(3)]
    return with_spectra(make_pool(tmp_path / "pool", songs, chunk_s=0.5))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_towers(tmp_path / "towers", width=WIDTH)


def found(pool: Pool, model: Path) -> EmbeddingIndex:
    return pool_embeddings(pool, model, load_contract(model), threads=1)


def home(pool: Pool) -> Path:
    return generation_folder(pool.folder, pool.generation)


def dots(pool: Pool, model: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """What the graphs say, computed in NumPy: `(N, N)`, row = predecessor."""
    assert pool.spectra is not None
    ends = tiny_embeddings(model, "ends", pool.spectra[:, 1])
    starts = tiny_embeddings(model, "starts", pool.spectra[:, 0])
    product: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = ends @ starts.T
    return product


def assert_close(index: EmbeddingIndex, truth: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> None:
    scores = np.stack([index.scores(row) for row in range(len(index))])
    # Each of the values is rounded to a 254th of the largest of its row.
    np.testing.assert_allclose(scores, truth, atol=0.03 * np.abs(truth).max())


def test_they_are_those_of_the_graphs_and_kept(pool: Pool, model: Path) -> None:
    assert len(pool) > SLICE_ROWS and len(pool) % SLICE_ROWS
    index = found(pool, model)
    assert_close(index, dots(pool, model))
    again = found(pool, model)
    assert not again.successors.flags.writeable
    for name in ("predecessors", "predecessor_scales", "successors", "successor_scales"):
        np.testing.assert_array_equal(getattr(again, name), getattr(index, name))
    towers = VectorGraphs(folder=model, contract=load_contract(model))
    assert opened(home(pool), towers, towers.pool_chunks(pool)) is not None


def test_a_decision_with_embeddings_at_hand_loads_no_onnxruntime(pool: Pool, model: Path) -> None:
    found(pool, model)
    assert pool.spectra is not None
    keys = pool.chunk_keys()
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "import stream.engine.engine\n"
        "from model.saved.contract_file import load_contract\n"
        "from stream.index.model_graphs import Chunks, VectorGraphs\n"
        "from stream.index.vectors import opened\n"
        "from stream.scoring.vector_scorer import VectorScorer\n"
        f"model, home = Path({str(model)!r}), Path({str(home(pool))!r})\n"
        "contract = load_contract(model)\n"
        "from stream.index.linked_rows import LinkedRows\n"
        "identities = np.asarray(LinkedRows.of(next(home.glob('embeddings/*'))).read('chunks'))\n"
        "towers = VectorGraphs(folder=model, contract=contract)\n"
        "empty = np.empty(0)\n"
        "chunks = Chunks(identities=identities, heads=empty, tails=empty, tail_rows=empty)\n"
        "index = opened(home, towers, chunks)\n"
        "row = VectorScorer(index, contract.calibration).score(3)\n"
        f"assert len(row) == {len(keys)} and 0 <= row.min() <= row.max() <= 1\n"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "numba" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith("onnxruntime")]


def test_another_generation_takes_over_what_it_has_in_common(
    pool: Pool, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = found(pool, model)
    # The first song is gone, a new one is there, and those that stay come in another order.
    grown = make_pool(tmp_path / "grown", [noise_song(8, seed) for seed in (2, 9, 1)], chunk_s=0.5)
    names = ("hash2", "hash9", "hash1")
    songs = tuple(replace(song, audio_hash=name) for song, name in zip(grown.songs, names, strict=True))
    grown = with_spectra(replace(grown, songs=songs, folder=pool.folder, generation=2))
    asked = []
    embed = VectorGraphs.embed

    def counted(
        self: VectorGraphs,
        spectra: object,
        rows: "np.ndarray[tuple[int], np.dtype[np.int64]]",
        **options: object,
    ) -> object:
        asked.append(rows.tolist())
        return embed(self, spectra, rows, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(VectorGraphs, "embed", counted)
    index = found(grown, model)
    assert asked == [np.flatnonzero(grown.chunk_song == 1).tolist()]
    assert_close(index, dots(grown, model))
    kept = np.flatnonzero(pool.chunk_song == 1)
    np.testing.assert_array_equal(index.successors[grown.chunk_song == 2], before.successors[kept])
    np.testing.assert_array_equal(
        index.predecessor_scales[grown.chunk_song == 2], before.predecessor_scales[kept]
    )
    # The same chunks once more: nothing is left to compute.
    again = replace(grown, generation=3)
    assert_close(found(again, model), dots(grown, model))
    assert len(asked) == 1


def test_slices_do_not_change_an_embedding(pool: Pool, model: Path) -> None:
    towers = VectorGraphs(folder=model, contract=load_contract(model))
    chunks = towers.pool_chunks(pool)
    told: list[int] = []
    whole = embeddings(chunks, towers, threads=1, progress=told.append)
    assert told[0] == 0 and told[-1] == len(pool) and told == sorted(told)
    assert (whole.reused, whole.computed) == (0, len(pool))
    few = chunks.take(np.arange(5, 9))
    part = embeddings(few, towers, threads=1)
    np.testing.assert_array_equal(part.index.predecessors, whole.index.predecessors[5:9])
    np.testing.assert_array_equal(part.index.successors, whole.index.successors[5:9])


def test_damage_of_a_song_is_not_put_down_to_the_model(pool: Pool, model: Path) -> None:
    assert pool.spectra is not None
    spectra = np.array(pool.spectra)
    spectra[7, 0, 3] = np.nan
    with pytest.raises(PoolError, match="kept of chunk 7 is no number; run `endlos pool check`"):
        found(replace(pool, spectra=spectra), model)


@pytest.mark.parametrize("damaged", ["chunks.bin", "successors.bin", "index.json"])
def test_damaged_ones_are_made_anew(
    pool: Pool, model: Path, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    found(pool, model)
    path = next(home(pool).glob(f"embeddings/*/{damaged}"))
    path.write_bytes(b"\x93NUMPY")
    assert_close(found(pool, model), dots(pool, model))
    assert "computed anew" in caplog.text
    caplog.clear()
    found(pool, model)
    assert not caplog.text


def test_those_of_other_chunks_are_not_used(
    pool: Pool, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found(pool, model)
    songs = (replace(pool.songs[0], audio_hash="other"), *pool.songs[1:])
    other = with_spectra(replace(pool, songs=songs))
    assert_close(found(other, model), dots(other, model))
    assert "embeddings of other chunks" in caplog.text


def test_a_folder_that_may_not_be_written(
    pool: Pool, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PoolError("the disk is full")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(EmbeddingIndex, "write", refuse)
    assert_close(found(pool, model), dots(pool, model))
    assert "not kept: the disk is full" in caplog.text


def test_large_pools_are_told_to_wait(
    pool: Pool, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream.index.vectors, "TOLD_FROM_CHUNKS", len(pool))
    found(pool, model)
    assert "`endlos precompute`" in caplog.text


def test_a_pool_without_spectra(pool: Pool, model: Path) -> None:
    with pytest.raises(PoolError, match="keeps no spectra"):
        found(replace(pool, spectra=None), model)


def test_towers_of_another_form(model: Path, tmp_path: Path) -> None:
    contract = load_contract(model)
    narrow = load_contract(write_tiny_towers(tmp_path / "narrow", width=8)).graphs["starts"]
    wide = load_contract(write_tiny_towers(tmp_path / "wide", width=MAX_WIDTH + 1))
    pair = load_contract(write_tiny_model(tmp_path / "pair", 200)).graphs["pair"]
    for graphs, sentence in (
        ({**contract.graphs, "starts": narrow}, "not of one width"),
        (wide.graphs, f"at most {MAX_WIDTH}"),
        ({**contract.graphs, "ends": pair}, "a graph for its ends from and to"),
    ):
        with pytest.raises(ModelError, match=sentence):
            VectorGraphs(folder=model, contract=replace(contract, graphs=graphs))


def test_the_scorer_is_the_calibrated_product(pool: Pool, model: Path) -> None:
    scorer, index = scorer_of(model, pool)
    assert isinstance(scorer, VectorScorer) and isinstance(index, EdgeIndex) and len(index) == len(pool)
    dots_of = found(pool, model).scores
    some = np.array([4, 1, 30, 4])
    for reference in (0, 7, len(pool) - 1):
        logits = TINY_CALIBRATION["scale"] * dots_of(reference) + TINY_CALIBRATION["offset"]
        row = scorer.score(reference, timeout_s=0.0)
        np.testing.assert_allclose(row, 1.0 / (1.0 + np.exp(-logits.astype(np.float64))), rtol=1e-4)
        assert row.min() < 0.2 and row.max() > 0.3
        assert row.dtype == np.float32 and not row.flags.writeable
        assert scorer.kept(reference) is row and scorer.score(reference) is row
        np.testing.assert_allclose(scorer.score(reference, some), row[some], rtol=1e-6)


def test_a_model_is_scored_by_the_metric_that_it_names(pool: Pool, model: Path, tmp_path: Path) -> None:
    by_dot = found(pool, model)
    shutil.copytree(model, tmp_path / "other")
    save_contract(replace(load_contract(model), metric="correlation"), tmp_path / "other")
    index = found(pool, tmp_path / "other")
    # Of the same graphs, and yet not taken for one another.
    assert (by_dot.metric, index.metric) == ("dot", "correlation")
    np.testing.assert_array_equal(index.successors, by_dot.successors)
    assert len(list(home(pool).glob("embeddings/*/index.json"))) == 2
    scorer, _ = scorer_of(tmp_path / "other", pool)
    logits = TINY_CALIBRATION["scale"] * index.scores(4) + TINY_CALIBRATION["offset"]
    np.testing.assert_allclose(scorer.score(4), 1.0 / (1.0 + np.exp(-logits.astype(np.float64))), rtol=1e-4)
    assert scorer.score(4).std() > 0.0 and not list(embedding_problems(pool, deep=True))


def test_a_logit_beyond_all_bounds_is_a_probability(pool: Pool, model: Path) -> None:
    scorer = VectorScorer(found(pool, model), {"scale": 1e6, "offset": -3.0})
    row = scorer.score(0)
    assert np.isfinite(row).all() and row.min() < 1e-30 and row.max() == 1.0


def test_what_cannot_be_read_of_a_large_pool_is_not_known(pool: Pool, model: Path, tmp_path: Path) -> None:
    index, path = found(pool, model), tmp_path / "predecessors.npy"
    np.save(path, index.predecessors)
    stored = StoredRows(ArrayFile.of(path), range(len(index)), "compute them again")
    scorer = VectorScorer(replace(index, predecessors=stored), TINY_CALIBRATION)
    assert scorer.kept(0) is not None
    os.truncate(path, 100)
    assert scorer.kept(1) is None
    with pytest.raises(PoolError, match=r"cannot be read .* compute them again"):
        scorer.score(1)


def test_vectors_of_edges_need_no_spectra(tmp_path: Path) -> None:
    pool = make_pool(tmp_path / "pool", [noise_song(8, seed) for seed in range(3)], chunk_s=0.5)
    assert pool.spectra is None
    model = write_tiny_towers(tmp_path / "edges", width=WIDTH, features="edges", edge_samples=200)
    ends = tiny_embeddings(model, "ends", 1.0 * pool.tails[:, 0, -200:])
    starts = tiny_embeddings(model, "starts", 1.0 * pool.heads[:, 0, :200])
    assert_close(found(pool, model), ends @ starts.T)
    scorer, index = scorer_of(model, pool)
    assert isinstance(scorer, VectorScorer) and index.edge_samples == 200
    longer = write_tiny_towers(tmp_path / "longer", features="edges", edge_samples=pool.edge_samples + 1)
    with pytest.raises(PoolError, match=r"keeps shorter edges than the .* longer --edge-s"):
        found(pool, longer)
