"""Judged joins go among drawn seams."""

import numpy as np
import pytest

from model.approaches.tower.data import add_judged
from model.base.arrays import FloatArray
from model.learning.drawn_seams import Variation, draw_seams
from model.learning.song_set import GRID_BANDS, GRID_S, GridArray, JudgedJoin, SongSet
from model.learning.song_sides import sides


@pytest.fixture(scope="module")
def grids() -> list[GridArray]:
    rng = np.random.default_rng(7)
    return [rng.integers(-80 * 256, -10 * 256, (5_000, GRID_BANDS)).astype(np.int16) for _ in range(3)]


def test_judged_joins_are_seams_when_liked_and_wrong_candidates_when_not(grids: list[GridArray]) -> None:
    some = draw_seams(grids, np.random.default_rng(0), Variation(), songs=2, seams_per_song=3)
    liked = JudgedJoin(from_song=0, from_row=900, to_song=1, to_row=2_000, liked=True)
    disliked = JudgedJoin(from_song=1, from_row=1_500, to_song=2, to_row=1_100, liked=False)
    at_the_end = JudgedJoin(from_song=0, from_row=len(grids[0]), to_song=1, to_row=10, liked=True)
    songs = SongSet(grids=grids, source={}, judged=[liked, disliked, at_the_end])
    both = add_judged(some, songs, np.random.default_rng(0), most=9)
    assert len(both.song) == len(some.song) + 3
    np.testing.assert_array_equal(both.tails[: len(some.song)], some.tails)
    length = np.array([round(Variation.longest_s / GRID_S)])

    def tail(song: int, row: int) -> FloatArray:
        return sides(grids[song], np.array([row]), length, tail=True)

    def head(song: int, row: int) -> FloatArray:
        return sides(grids[song], np.array([row]), length, tail=False)

    added = range(len(some.song), len(both.song))
    own = {number: [i for i in added if both.song[i] == number] for number in set(both.song[list(added)])}
    (single,) = (rows for rows in own.values() if len(rows) == 1)
    (pair,) = (rows for rows in own.values() if len(rows) == 2)
    np.testing.assert_array_equal(both.tails[single], tail(0, 900))
    np.testing.assert_array_equal(both.heads[single], head(1, 2_000))
    np.testing.assert_array_equal(both.tails[pair[:1]], tail(1, 1_500))
    np.testing.assert_array_equal(both.heads[pair[1:]], head(2, 1_100))
    assert add_judged(some, SongSet(grids=grids, source={}), np.random.default_rng(0), most=9) is some
