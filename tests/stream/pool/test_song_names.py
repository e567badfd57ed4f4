"""A song is found by each of its names, and a wrong name is told with what is near it."""

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from stream.pool.pool import Pool
from stream.pool.song_names import named_song
from tests.support.pools import make_pool, noise_song

NAMES = ("house/one.mp3", "lounge/one.ogg", "lounge/one.mp3", unicodedata.normalize("NFD", "été.flac"))
TITLES = ("First light", "", "Second", "")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    made = make_pool(tmp_path_factory.mktemp("names"), [noise_song(3.0, seed) for seed in range(len(NAMES))])
    return replace(
        made,
        songs=tuple(
            replace(song, name=name, path=Path("/music") / name, title=title, artist=artist)
            for song, name, title, artist in zip(
                made.songs, NAMES, TITLES, ("", "", "Ada Söderqvist", ""), strict=True
            )
        ),
    )


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        *((name, number) for number, name in enumerate(NAMES)),
        ("/music/lounge/../lounge/one.mp3", 2),
        ("one.ogg", 1),
        # As a keyboard writes it, and not as some disks do.
        (unicodedata.normalize("NFC", "été.flac"), 3),
        (unicodedata.normalize("NFC", "été"), 3),
    ],
)
def test_by_name_path_and_file(pool: Pool, asked: str, number: int) -> None:
    assert named_song(pool, asked) == number


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("one", r"'one' may be any of house/one.mp3, lounge/one.ogg, lounge/one.mp3; name one as"),
        ("one.mp3", r"'one.mp3' may be any of house/one.mp3, lounge/one.mp3; name one as"),
        ("first light", r"no song 'first light'; near it: house/one.mp3; name one as"),
        ("ada söderquist - second", r"near it: lounge/one.mp3; "),
        (unicodedata.normalize("NFD", "SÖDER"), r"near it: lounge/one.mp3; "),
        ("", r"the pool has no song ''; name one as"),
        ("~/zzz\0", r"the pool has no song '~/zzz.x00'; name one as"),
    ],
)
def test_a_wrong_name_is_one_sentence(pool: Pool, asked: str, sentence: str) -> None:
    with pytest.raises(EndlosError, match=sentence):
        named_song(pool, asked)
