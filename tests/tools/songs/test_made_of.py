"""Tags and tracks of a composition name every source, once or where it begins."""

from dataclasses import replace
from pathlib import Path

import pytest

from stream.choosing.generation import Generation
from stream.choosing.step import Step
from stream.engine.composition import PlacedChunk
from stream.outputs.encoding.audio_tags import LONGEST_TAG
from stream.pool.songs import Track
from tests.support.pools import make_generation, make_pool, noise_song
from tools.songs.made_of import composed_tags, composed_tracks

NAMES = (("Ann - Lee", "First"), ("", "untitled 2"), ("Bo", "Third"))


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    pool = make_pool(tmp_path, [noise_song(6, seed) for seed in range(3)])
    songs = [
        replace(song, artist=artist, title=title)
        for song, (artist, title) in zip(pool.songs, NAMES, strict=True)
    ]
    # The last is an album in one file.
    tracks = (
        Track(start_sample=0, title="A", artist=""),
        Track(start_sample=132_300, title="B", artist="Cy"),
    )
    return make_generation(replace(pool, songs=(*songs[:2], replace(songs[2], tracks=tracks))))


def steps_of(generation: Generation, rows: list[int]) -> list[Step]:
    return [Step(after=None, chunk=generation.chunk(row), natural=False, rung="full") for row in rows]


def test_tags_name_each_source_once(generation: Generation) -> None:
    tags = composed_tags("my song", steps_of(generation, [0, 4, 1, 0, 8, 11]))
    assert tags.title == "my song"
    assert tags.artist == "Ann - Lee, Bo, Cy"
    assert tags.comment == "Made of: Ann-Lee - First; untitled 2; Bo - A; Cy - B"


def test_what_a_tag_has_no_room_for_is_counted(generation: Generation) -> None:
    pool = generation.pool
    many = [
        replace(pool.songs[0], tracks=(), artist=f"Artist number {number}", title="x" * 90)
        for number in range(200)
    ]

    class _Chunk:
        def __init__(self, song: object) -> None:
            self.song = song

    steps = [Step(after=None, chunk=_Chunk(song), natural=False, rung="full") for song in many]  # type: ignore[arg-type]
    tags = composed_tags("t", steps)
    assert tags.artist == "Various artists"
    assert LONGEST_TAG - 200 < len(tags.comment) <= LONGEST_TAG
    told = tags.comment.count("Artist number")
    assert tags.comment.endswith(f"; and {200 - told} more")
    assert tags.fields()["comment"] == tags.comment


def test_a_track_is_a_run_of_one_song(generation: Generation) -> None:
    rows = [0, 1, 3, 4, 0, 8, 9, 10, 11]
    placed = [
        PlacedChunk(step=step, start_frame=1000 * number, rate_hz=44_100)
        for number, step in enumerate(steps_of(generation, rows))
    ]
    assert [(track.start_sample, track.artist, track.title) for track in composed_tracks(placed)] == [
        (0, "Ann - Lee", "First"),
        (3000, "", "untitled 2"),
        (4000, "Ann - Lee", "First"),
        (5000, "Bo", "A"),
        (7000, "Cy", "B"),
    ]
