"""Songs of an artist lie in one fold, as far as tags and names tell."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stream.pool.pool import Pool, open_pool
from tools.quality.joins.hearing.artists import artist_groups
from tools.quality.joins.hearing.folds import apart_by_artist, fold_of_songs


def _named(pool: Pool, named: list[tuple[str, str]]) -> Pool:
    """A pool whose songs are said to be of these names and artists."""
    first = pool.songs[0]
    songs = tuple(replace(first, name=name, artist=artist) for name, artist in named)
    return replace(pool, songs=songs)


def test_a_tag_or_a_name_in_common_is_one_artist(tiny_pool: Path) -> None:
    named = [
        ("various/pop_ann_one.mp3", "Ann"),
        ("various/pop_ann_two.mp3", ""),
        ("similar/Bob - three.mp3", ""),
        ("similar/four.mp3", "ANN"),
        ("similar/five.mp3", ""),
    ]
    pool = _named(open_pool(tiny_pool), named)
    assert artist_groups(pool.songs) == [[0, 1, 3], [2], [4]]


def test_folds_part_artists_where_there_are_enough_of_them(tiny_pool: Path) -> None:
    pool = open_pool(tiny_pool)
    many = _named(pool, [(f"{artist}_{song}.mp3", "") for artist in "abcdef" for song in range(3)])
    fold = fold_of_songs(many, 3, seed=1)
    assert np.bincount(fold).tolist() == [6, 6, 6]
    assert apart_by_artist(many, fold)
    assert not np.array_equal(fold, fold_of_songs(many, 3, seed=2))
    one = _named(pool, [(f"a_{song}.mp3", "") for song in range(12)])
    fold = fold_of_songs(one, 3, seed=1)
    assert np.bincount(fold).tolist() == [4, 4, 4]
    assert not apart_by_artist(one, fold)
