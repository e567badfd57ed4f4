"""The edge index against plain NumPy."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ModelError
from stream.index import BANDS, NEVER, EdgeIndex, band_levels_db, rank_of, top
from tests.pools import EDGE_SAMPLES, make_pool, noise_song


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> EdgeIndex:
    folder = tmp_path_factory.mktemp("index")
    return EdgeIndex.from_pool(make_pool(folder, [noise_song(9, 0), noise_song(6, 1)]), EDGE_SAMPLES)


@given(
    scores=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    seed=st.integers(0, 9),
    count=st.integers(1, 50),
)
def test_top_is_a_stable_sort_of_the_allowed_rows(scores: list[int], seed: int, count: int) -> None:
    values = np.array(scores, dtype=np.float32)
    mask = np.random.default_rng(seed).random(len(values)) < 0.6
    allowed = np.flatnonzero(mask)
    expected = allowed[np.argsort(-values[allowed], kind="stable")][:count]
    np.testing.assert_array_equal(top(values, mask, count), expected)


def test_rank_counts_better_allowed_rows() -> None:
    scores = np.array([0.9, 0.5, 0.7, 0.5], dtype=np.float32)
    mask = np.array([False, True, True, True])
    assert [rank_of(scores, mask, row) for row in (2, 1, 3)] == [1, 2, 2]


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
    expected = np.abs(index.tail_bands_db[4] - index.head_bands_db).mean(axis=1)
    np.testing.assert_allclose(index.distances_db(4), expected, rtol=1e-5)
    # The same song sounds alike; the other one has another tone.
    distances = index.distances_db(1)
    assert distances[:6].max() < distances[6:].max()
    with pytest.raises(IndexError):
        index.distances_db(len(index))


def test_bands_find_a_tone() -> None:
    time_s = np.arange(EDGE_SAMPLES) / 1260
    tones = np.stack([np.sin(2 * np.pi * hz * time_s) for hz in (60, 150, 500)]).astype(np.float32)
    levels = band_levels_db(tones)
    assert levels.shape == (3, BANDS)
    loudest = levels.argmax(axis=1)
    assert loudest[0] < loudest[1] < loudest[2]


def test_playable_keeps_recent_and_banned_out(index: EdgeIndex) -> None:
    last_played = np.full(len(index), NEVER, dtype=np.int64)
    last_played[[0, 1, 2]] = [5, 8, 9]
    banned = np.zeros(len(index), dtype=np.bool_)
    banned[7] = True
    playable = index.playable(last_played, 9, 2, banned)
    assert np.flatnonzero(~playable).tolist() == [1, 2, 7]
    with pytest.raises(ValueError, match="rows"):
        index.playable(last_played[:3], 9, 2, banned)
