"""The edge index answers like plain NumPy."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.array_files import ArrayFile
from model.base.errors import ModelError
from model.base.stored_rows import StoredRows
from stream.index.edge_index import BANDS, EdgeIndex, band_levels_db
from stream.index.metrics import LEAST_LEVEL_DB, MOST_LEVEL_DB
from stream.pool.pool import Pool, generation_folder
from tests.support.pools import EDGE_SAMPLES, make_pool, noise_song


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> EdgeIndex:
    folder = tmp_path_factory.mktemp("index")
    return EdgeIndex.from_pool(make_pool(folder, [noise_song(9, 0), noise_song(6, 1)]), EDGE_SAMPLES)


def stored(pool: Pool) -> Pool:
    """The same pool with its edges in files, as `open_pool` gives it."""
    edges = {}
    for name in ("heads", "tails"):
        path = pool.folder / f"{name}.npy"
        np.save(path, getattr(pool, name))
        edges[name] = StoredRows(ArrayFile.of(path), np.arange(len(pool)), "")
    return replace(pool, **edges)


def test_successors_stay_inside_a_song(index: EdgeIndex) -> None:
    assert index.successor.tolist() == [1, 2, 3, 4, 5, -1, 7, 8, 9, -1]


def test_edges_are_the_ends_of_the_chunks_first_channel(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6, 3)])
    short = EdgeIndex.from_pool(pool, 100)
    np.testing.assert_array_equal(short.heads, pool.heads[:, 0, :100])
    np.testing.assert_array_equal(short.tails, pool.tails[:, 0, -100:])


def test_an_edge_longer_than_the_pool_keeps_is_refused(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(3, 0)])
    with pytest.raises(ModelError, match=r"needs edges of 1\.00 s"):
        EdgeIndex.from_pool(pool, 1260)


def test_distance_is_the_mean_difference_of_bands(index: EdgeIndex) -> None:
    heads_db, tails_db = band_levels_db(index.heads), band_levels_db(index.tails)
    expected = np.abs(tails_db[4] - heads_db).mean(axis=1)
    # Levels are kept in steps of a 254th of their range, each rounded by half a step at most.
    step_db = (max(heads_db.max(), tails_db.max()) - min(heads_db.min(), tails_db.min())) / 254
    np.testing.assert_allclose(index.distances_db(4), expected, atol=1.01 * step_db)
    # The same song sounds alike; the other one has another tone.
    distances = index.distances_db(1)
    assert distances[:6].max() < distances[6:].max()
    with pytest.raises(IndexError):
        index.distances_db(len(index))


def test_the_nearest_are_those_of_the_smallest_distances(index: EdgeIndex) -> None:
    mask = np.array([True, False] * 5)
    distances = index.distances_db(3)
    expected = np.flatnonzero(mask)[np.argsort(distances[mask], kind="stable")][:3]
    np.testing.assert_array_equal(index.nearest(3, mask, 3), expected)


def test_large_pools_stay_in_their_files_and_give_the_same(tmp_path: Path) -> None:
    pool = stored(make_pool(tmp_path, [noise_song(9, 0), noise_song(6, 1)]))
    for edge_samples in (100, EDGE_SAMPLES):
        preloaded = EdgeIndex.from_pool(pool, edge_samples)
        in_files = EdgeIndex.from_pool(pool, edge_samples, preload_bytes=0)
        assert preloaded.heads.flags.owndata and preloaded.tails.flags.owndata
        assert isinstance(in_files.heads, StoredRows) and isinstance(in_files.tails, StoredRows)
        np.testing.assert_array_equal(in_files.heads, preloaded.heads)
        np.testing.assert_array_equal(in_files.tails, preloaded.tails)
        np.testing.assert_array_equal(in_files.distances_db(2), preloaded.distances_db(2))
        assert preloaded.bytes - in_files.bytes == 2 * 4 * len(pool) * edge_samples


def test_band_levels_of_a_large_pool_are_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(tmp_path, [noise_song(9, 0), noise_song(6, 1)])
    folder = generation_folder(pool.folder, pool.generation) / "bands-100"
    expected = EdgeIndex.from_pool(pool, 100).distances_db(3)
    assert not folder.exists()
    monkeypatch.setattr("stream.index.edge_index.STORED_FROM_CHUNKS", len(pool))
    np.testing.assert_array_equal(EdgeIndex.from_pool(pool, 100).distances_db(3), expected)
    # Other edges show that what is kept is what is used.
    louder = replace(pool, heads=np.zeros_like(pool.heads))
    np.testing.assert_array_equal(EdgeIndex.from_pool(louder, 100).distances_db(3), expected)
    (folder / "index.json").write_text("{}")
    assert not np.array_equal(EdgeIndex.from_pool(louder, 100).distances_db(3), expected)
    # What was damaged is made again; and where nothing can be written, it works all the same.
    shutil.rmtree(folder)
    np.testing.assert_array_equal(EdgeIndex.from_pool(pool, 100).distances_db(3), expected)
    shutil.rmtree(folder.parent)
    folder.parent.touch()
    np.testing.assert_array_equal(EdgeIndex.from_pool(pool, 100).distances_db(3), expected)


def test_band_levels_do_not_depend_on_the_slices() -> None:
    edges = np.random.default_rng(0).normal(0, 0.1, (300, 99)).astype(np.float32)
    one_by_one = np.concatenate([band_levels_db(edge[np.newaxis]) for edge in edges])
    np.testing.assert_allclose(band_levels_db(edges), one_by_one, atol=1e-4)


def test_band_levels_are_numbers_whatever_the_edges_hold() -> None:
    edges = np.zeros((4, 100), dtype=np.float32)
    edges[1, 5], edges[2, 5], edges[3] = np.nan, np.inf, 1e30
    levels = band_levels_db(edges)
    assert np.isfinite(levels).all() and levels.max() <= MOST_LEVEL_DB
    np.testing.assert_allclose(levels[:2], LEAST_LEVEL_DB, atol=1e-3)


def test_what_is_as_loud_as_can_be_is_within_what_is_kept() -> None:
    square = np.sign(np.sin(2 * np.pi * 100 * np.arange(EDGE_SAMPLES) / 1260 + 0.1)).astype(np.float32)
    loudest = float(band_levels_db(square[np.newaxis]).max())
    assert MOST_LEVEL_DB - 1.0 < loudest < MOST_LEVEL_DB


def test_bands_find_a_tone() -> None:
    time_s = np.arange(EDGE_SAMPLES) / 1260
    tones = np.stack([np.sin(2 * np.pi * hz * time_s) for hz in (60, 150, 500)]).astype(np.float32)
    levels = band_levels_db(tones)
    assert levels.shape == (3, BANDS)
    loudest = levels.argmax(axis=1)
    assert loudest[0] < loudest[1] < loudest[2]
