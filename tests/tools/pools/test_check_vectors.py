"""The check of embeddings is silent on good ones, and names what is wrong with the others."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import tools.pools.check_vectors
from model.saved.contract_file import load_contract
from stream.index.linked_rows import LinkedRows
from stream.index.vectors import pool_embeddings
from stream.pool.pool import Pool, generation_folder, open_pool
from tests.support.models import write_tiny_buckets, write_tiny_towers
from tests.support.pools import make_pool, noise_song
from tests.support.spectra import with_spectra
from tools.pools.build import build_pool
from tools.pools.check_vectors import embedding_problems
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings


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


def stored(path: Path) -> "np.ndarray[tuple[int, ...], np.dtype[Any]]":
    """What stands in one of the files of a folder."""
    return np.asarray(LinkedRows.of(path.parent).read(path.stem))


@pytest.mark.parametrize("deep", [False, True])
def test_good_ones(pool: Pool, model: Path, deep: bool) -> None:
    assert list(embedding_problems(pool, deep=deep)) == []
    folder_of(pool, model)
    assert list(embedding_problems(pool, deep=deep)) == []


@pytest.mark.parametrize("name", ["predecessors", "successors", "successor_scales"])
def test_values_that_are_not_the_models(pool: Pool, model: Path, name: str) -> None:
    path = folder_of(pool, model) / f"{name}.bin"
    array = stored(path)
    array[7] = array[7] // 2 if array.dtype == np.int8 else array[7] * 1.5
    array.tofile(path)
    (problem,) = embedding_problems(pool)
    assert str(path.parent) in problem and "other embeddings than its model gives" in problem


def test_what_it_asks_for_mends_values_that_generations_share(model: Path, tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "built"
    music.mkdir()
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=1.0), jobs=1, model=model)
    for number in range(4):
        soundfile.write(music / f"{number}.wav", noise_song(9, number), 44_100)
    build_pool([music], out, settings)
    soundfile.write(music / "4.wav", noise_song(2, 4), 44_100)
    build_pool([music], out, settings)
    pool = open_pool(out)
    path = folder_of(pool, model) / "successors.bin"
    assert path.stat().st_nlink == 2
    with path.open("r+b") as file:
        file.write(bytes(64))
    (problem,) = embedding_problems(pool, deep=True)
    asked = Path(problem.partition("; delete ")[2].partition(",")[0])
    for folder in out.glob(str(asked.relative_to(out))):
        shutil.rmtree(folder)
    folder_of(pool, model)
    assert list(embedding_problems(pool, deep=True)) == []


def test_those_of_other_chunks_and_damaged_ones(pool: Pool, model: Path) -> None:
    folder = folder_of(pool, model)
    stored(folder / "chunks.bin")[::-1].tofile(folder / "chunks.bin")
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
    values = stored(folder / "successors.bin")
    np.roll(values, 1, axis=0).tofile(folder / "successors.bin")
    assert list(embedding_problems(pool)) == []
    values[1:].tofile(folder / "successors.bin")
    assert len(list(embedding_problems(pool))) == 1


def test_chunks_are_sorted_into_buckets_again(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_tiny_buckets(tmp_path / "buckets")
    monkeypatch.setattr(tools.pools.check_vectors, "carried_models", lambda: ["buckets"])
    monkeypatch.setattr(tools.pools.check_vectors, "carried_model", lambda name: tmp_path / name)
    path = folder_of(pool, model) / "successors.bin"
    assert list(embedding_problems(pool)) == []
    np.roll(stored(path), 1, axis=0).tofile(path)
    (problem,) = embedding_problems(pool)
    assert "other embeddings than its model gives" in problem
    # Of a model that is not carried it is checked that they are of these very chunks.
    monkeypatch.setattr(tools.pools.check_vectors, "carried_models", list)
    assert list(embedding_problems(pool)) == []
    stored(path.with_name("chunks.bin"))[::-1].tofile(path.with_name("chunks.bin"))
    (problem,) = embedding_problems(pool)
    assert "other chunks" in problem
