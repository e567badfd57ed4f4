"""Embeddings are made beforehand once, for what is new, and told in one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import stream.index.edge_index
import tools.pools.embed
from model.saved.contract_file import load_contract
from stream.index.edge_index import BandLevels, EdgeIndex
from stream.index.model_graphs import VectorGraphs, graphs_of, pool_identities
from stream.index.vectors import embeddings, opened, pool_embeddings
from stream.pool.columns import StoredColumns, column_file, columns
from stream.pool.pool import Pool, generation_folder, open_pool
from tests.support.commands import run_here
from tests.support.models import write_tiny_buckets, write_tiny_model, write_tiny_towers
from tests.support.pools import make_pool, noise_song
from tests.support.spectra import with_spectra
from tools.pools.build import build_pool
from tools.pools.embed import embed_generation, embed_pool, embeds
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = with_spectra(make_pool(tmp_path / "pool", [noise_song(6, seed) for seed in range(2)], chunk_s=0.5))
    monkeypatch.setattr(tools.pools.embed, "open_pool", lambda folder: pool)
    return pool


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_towers(tmp_path / "towers")


def test_they_are_made_once_and_found(pool: Pool, model: Path) -> None:
    told: list[tuple[int, int]] = []
    report = embed_pool(
        pool.folder, model, threads=1, progress=lambda done, total: told.append((done, total))
    )
    assert (report.chunks, report.embedded, report.reused) == (len(pool), len(pool), 0)
    assert told[0] == (0, len(pool)) and told[-1] == (len(pool), len(pool)) and told == sorted(told)
    towers = VectorGraphs(folder=model, contract=load_contract(model))
    assert report.path.is_dir()
    assert (
        opened(generation_folder(pool.folder, pool.generation), towers, towers.pool_chunks(pool)) is not None
    )
    again = embed_pool(pool.folder, model, threads=1)
    assert (again.embedded, again.reused, again.path) == (0, len(pool), report.path)


def test_a_generation_that_is_not_published_yet(
    pool: Pool, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.pools.embed, "STORED_FROM_CHUNKS", len(pool))
    target = generation_folder(pool.folder, pool.generation)
    beside = target.with_name(target.name + ".part")
    beside.mkdir(parents=True)
    stored = StoredColumns(folder=tmp_path, chunks=len(pool), edge_samples=pool.edge_samples)
    shuffled = np.random.default_rng(0).permutation(len(pool))
    kinds = columns(pool.edge_samples)
    for name in ("start_sample", "end_sample", "heads", "tails", "spectra"):
        values = getattr(pool, name)[np.argsort(shuffled)].astype(kinds[name].dtype)
        values.tofile(column_file(tmp_path, name))
    hashes = [song.audio_hash for song in pool.songs]
    counts = np.bincount(pool.chunk_song).tolist()
    assert embeds(model) and not embeds(write_tiny_model(tmp_path / "pair", 200))
    embed_generation(beside, stored, shuffled, hashes, counts, model, threads=1)
    beside.rename(target)
    report = embed_pool(pool.folder, model, threads=1)
    assert (report.embedded, report.reused) == (0, len(pool))
    # The next generation takes them over.
    again = target.with_name("000002.part")
    again.mkdir()
    embed_generation(again, stored, shuffled, hashes, counts, model, threads=1)
    for name in ("predecessors", "successors"):
        (mine,) = again.glob(f"embeddings/*/{name}.bin")
        assert mine.samefile(report.path / f"{name}.bin")
        (mine,) = again.glob(f"bands-*/{name}.bin")
        assert mine.samefile(next(target.glob(f"bands-*/{name}.bin")))


def test_a_build_leaves_them_in_every_generation(model: Path, tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "built"
    music.mkdir()
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=2.0), jobs=1, model=model)
    for seed in range(2):
        soundfile.write(music / f"{seed}.wav", noise_song(9, seed), 44_100)
        generation = build_pool([music], out, settings).generation
        home = generation_folder(out, generation)
        towers = VectorGraphs(folder=model, contract=load_contract(model))
        assert opened(home, towers, towers.pool_chunks(open_pool(out))) is not None
    # Nothing has changed but the model.
    other = write_tiny_towers(tmp_path / "other", seed=1)
    assert build_pool([music], out, replace(settings, model=other)).generation == generation
    assert len(list((home / "embeddings").iterdir())) == 2


def test_a_build_shares_them_with_the_generation_before(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.pools.embed, "STORED_FROM_CHUNKS", 1)
    monkeypatch.setattr(stream.index.edge_index, "STORED_FROM_CHUNKS", 1)
    music, out = tmp_path / "music", tmp_path / "built"
    music.mkdir()
    settings = BuildSettings(cut=CutSettings(cut="equal", chunk_s=1.0), jobs=1, model=model)
    contract = load_contract(model)
    for number in range(5):
        soundfile.write(music / f"{number}.wav", noise_song(9, number), 44_100)
    build_pool([music], out, settings)
    pool = open_pool(out)
    before = pool_embeddings(pool, model, contract), EdgeIndex.from_pool(pool, contract.edge_samples)
    scores = before[0].scores(3), before[1].distances_db(3)
    # One is added before all others, and one goes.
    soundfile.write(music / "00.wav", noise_song(9, 9), 44_100)
    (music / "4.wav").unlink()
    report = build_pool([music], out, settings)
    homes = [generation_folder(out, generation) for generation in (report.generation - 1, report.generation)]
    for folder in ("embeddings/*", "bands-*"):
        older, newer = (next(home.glob(f"{folder}/successors.bin")) for home in homes)
        assert older.samefile(newer)
    grown = open_pool(out)
    embedded, index = (
        pool_embeddings(grown, model, contract),
        EdgeIndex.from_pool(grown, contract.edge_samples),
    )
    alone = graphs_of(model, contract)
    anew = embeddings(alone.pool_chunks(grown), alone, threads=1).index
    levels = BandLevels(edge_samples=contract.edge_samples)
    levels_anew = embeddings(
        levels.chunks(pool_identities(grown), grown.heads, grown.tails), levels, threads=1
    ).index
    for row in range(0, len(grown), 7):
        np.testing.assert_array_equal(embedded.scores(row), anew.scores(row))
        np.testing.assert_array_equal(index.bands.scores(row), levels_anew.scores(row))
    # Whoever plays the generation before has what it had.
    np.testing.assert_array_equal(before[0].scores(3), scores[0])
    np.testing.assert_array_equal(before[1].distances_db(3), scores[1])


def test_the_command(pool: Pool, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for expected in (f"{len(pool)} embedded", f"{len(pool)} were there"):
        assert run_here("precompute", pool.folder, "--model", model) == 0
        assert expected in capsys.readouterr().out


def test_chunks_are_sorted_into_buckets_beforehand(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny_buckets(tmp_path / "buckets", classes=40, walk=(0, 1, 2))
    assert embeds(model)
    assert run_here("precompute", pool.folder, "--model", model, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    sizes = report["bucket_sizes"]
    assert len(sizes) == 40 and sum(sizes) == len(pool) == report["embedded"]
    assert run_here("precompute", pool.folder, "--model", model) == 0
    assert f"{sizes.count(0)} of 40 buckets are empty" in " ".join(capsys.readouterr().out.split())
