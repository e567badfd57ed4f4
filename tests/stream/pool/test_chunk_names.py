"""A chunk is found by its name, and a name that is wrong is told with what is near it."""

from dataclasses import replace

import pytest

from model.base.errors import EndlosError
from stream.pool.chunk_names import chunk_name, named_row
from stream.pool.pool import Pool
from tests.support.pools import make_pool, noise_song


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    songs = [noise_song(seconds, seed) for seed, seconds in enumerate((6, 4.5, 63.0))]
    made = make_pool(tmp_path_factory.mktemp("names"), songs)
    names = ("house/one.mp3", "house/#1@2.mp3", "lounge/late night.flac")
    titles = ("First light", "Second", "Third")
    return replace(
        made,
        songs=tuple(
            replace(song, name=name, title=title)
            for song, name, title in zip(made.songs, names, titles, strict=True)
        ),
    )


def test_every_chunk_has_a_name_by_which_it_is_found(pool: Pool) -> None:
    names = [chunk_name(pool, row) for row in range(len(pool))]
    assert names[:6] == [
        *(f"house/one.mp3#{number}" for number in (1, 2, 3, 4)),
        *(f"house/#1@2.mp3#{number}" for number in (1, 2)),
    ]
    assert [named_row(pool, name) for name in names] == list(range(len(pool)))


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("house/one.mp3", 0),
        ("house/#1@2.mp3", 4),
        ("house/one.mp3@0", 0),
        ("house/one.mp3@1.5", 1),
        ("house/one.mp3@1.49", 0),
        ("house/one.mp3@0:05.9", 3),
        ("house/#1@2.mp3@3", 6),
        ("lounge/late night.flac@1:02", 7 + 41),
        ("one.mp3@3", 2),
        ("late night", 7),
        ("lounge/late night.flac@0:1:02", 7 + 41),
        ("lounge/late night.flac#042", 7 + 41),
    ],
)
def test_by_song_number_and_time(pool: Pool, name: str, row: int) -> None:
    assert named_row(pool, name) == row


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("house/one.mp3#0", r"house/one.mp3 has no chunk #0; its chunks are #1 to #4"),
        ("house/one.mp3#5", r"house/one.mp3 has no chunk #5; its chunks are #1 to #4"),
        ("house/one.mp3#99999999999999999999", r"its chunks are #1 to #4"),
        ("house/one.mp3#x", r"has no chunk #x"),
        ("house/one.mp3@6", r"has no chunk at 6; its chunks play from 0.00 to 6.00 s"),
        ("house/one.mp3@-1", r"has no chunk at -1; "),
        ("house/one.mp3@nan", r"has no chunk at nan; "),
        ("house/one.mp3@", r"has no chunk at ; "),
        (
            "house/ome.mp3#2",
            r"no song 'house/ome.mp3'; near it: house/one.mp3, house/#1@2.mp3; give SONG, SONG#NUMBER",
        ),
        ("ons.mp3@3", r"no song 'ons.mp3'; near it: house/one.mp3; "),
        ("zzz", r"the pool has no song 'zzz'; give SONG"),
        ("", r"the pool has no song ''; give SONG"),
        ("#1", r"the pool has no song ''; give SONG"),
    ],
)
def test_a_wrong_name_is_one_sentence(pool: Pool, name: str, sentence: str) -> None:
    with pytest.raises(EndlosError, match=sentence):
        named_row(pool, name)
