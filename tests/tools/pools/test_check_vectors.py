"""The check of embeddings is silent on good ones, and names what is wrong with the others."""

from pathlib import Path

import numpy as np
import pytest

import tools.pools.check_vectors
from model.saved.contract import load_contract
from stream.index.vectors import pool_embeddings
from stream.pool.pool import Pool, generation_folder
from tests.support.models import write_tiny_buckets, write_tiny_towers
from tests.support.pools import make_pool, noise_song
from tests.support.spectra import with_spectra
from tools.pools.check_vectors import embedding_problems


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return with_spectra(make_pool(tmp_path / "pool", [noise_song(6, seed) for seed in range(2)], chunk_s=0.5))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tower that is carried."""
    model = write_tiny_towers(tmp_path / "towers")
    monkeypatch.setattr(tools.pools.check_vectors, "carried_models", lambda: ["towers"])
    monkeypatch.setattr(tools.pools.check_vectors, "carried_model", lambda name: tmp_path / name)
    return model


def folder_of(pool: Pool, model: Path) -> Path:
    pool_embeddings(pool, model, load_contract(model), threads=1)
    return next((generation_folder(pool.folder, pool.generation) / "embeddings").iterdir())


@pytest.mark.parametrize("deep", [False, True])
def test_good_ones(pool: Pool, model: Path, deep: bool) -> None:
    assert list(embedding_problems(pool, deep=deep)) == []
    folder_of(pool, model)
    assert list(embedding_problems(pool, deep=deep)) == []


@pytest.mark.parametrize("name", ["predecessors", "successors", "successor_scales"])
def test_values_that_are_not_the_models(pool: Pool, model: Path, name: str) -> None:
    path = folder_of(pool, model) / f"{name}.npy"
    array = np.load(path)
    array[7] = array[7] // 2 if array.dtype == np.int8 else array[7] * 1.5
    np.save(path, array)
    (problem,) = embedding_problems(pool)
    assert str(path.parent) in problem and "other embeddings than its model gives" in problem


def test_those_of_other_chunks_and_damaged_ones(pool: Pool, model: Path) -> None:
    folder = folder_of(pool, model)
    identities = np.load(folder / "chunks.npy")
    np.save(folder / "chunks.npy", identities[::-1].copy())
    (problem,) = embedding_problems(pool)
    assert "other chunks" in problem
    (folder / "index.json").write_text("{}")
    (problem,) = embedding_problems(pool)
    assert "no embeddings that can be read" in problem and "will be made again" in problem


def test_those_of_an_unknown_model_are_only_looked_at(
    pool: Pool, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(pool, model)
    monkeypatch.setattr(tools.pools.check_vectors, "carried_models", list)
    values = np.load(folder / "successors.npy")
    np.save(folder / "successors.npy", np.roll(values, 1, axis=0))
    assert list(embedding_problems(pool)) == []
    np.save(folder / "successors.npy", values[1:])
    assert len(list(embedding_problems(pool))) == 1


def test_chunks_are_sorted_into_buckets_again(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_tiny_buckets(tmp_path / "buckets")
    monkeypatch.setattr(tools.pools.check_vectors, "carried_models", lambda: ["buckets"])
    monkeypatch.setattr(tools.pools.check_vectors, "carried_model", lambda name: tmp_path / name)
    path = folder_of(pool, model) / "successors.npy"
    assert list(embedding_problems(pool)) == []
    values = np.load(path)
    np.save(path, np.roll(values, 1, axis=0))
    (problem,) = embedding_problems(pool)
    assert "other embeddings than its model gives" in problem
    # Of a model that is not carried it is checked that they are of these very chunks.
    monkeypatch.setattr(tools.pools.check_vectors, "carried_models", list)
    assert list(embedding_problems(pool)) == []
    named = np.load(path.with_name("chunks.npy"))
    np.save(path.with_name("chunks.npy"), named[::-1].copy())
    (problem,) = embedding_problems(pool)
    assert "other chunks" in problem
