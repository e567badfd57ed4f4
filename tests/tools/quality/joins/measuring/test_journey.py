"""A journey tells returns from new songs, songs that wait too long, and arcs from random steps."""

import itertools

import numpy as np
import pytest

from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.measuring.journey import LATELY_SONGS, Journey, JourneyMap, journey_of

RATE_HZ = 100


def _way(songs: "list[str] | str", visit_s: float = 10.0) -> list[Boundary]:
    """A stream of one chunk from each song, that begins in a song of its own."""
    names = ["start", *songs]
    return [
        Boundary(
            centre_frames=round(place * visit_s * RATE_HZ),
            before_frames=0,
            after_frames=0,
            joined=True,
            from_key=(came, 0, 1),
            to_key=(went, 0, 1),
            left_s=0.0,
            entered_s=0.0,
        )
        for place, (came, went) in enumerate(itertools.pairwise(names), start=1)
    ]


def _journey(songs: "list[str] | str", pool: JourneyMap | None = None) -> Journey:
    return journey_of(_way(songs), pool or JourneyMap(chunks=30, songs=30), RATE_HZ)[0]


def test_going_back_to_one_of_the_last_songs_is_a_return() -> None:
    assert _journey("abcdef").returns_share == 0
    assert _journey("ababab").returns_share == pytest.approx(4 / 5)
    around = "abcdefghijklmno"
    assert LATELY_SONGS == 8
    # a b ... i, and back: between both visits lie so many others.
    assert _journey(around[:9] + "a").returns_share == pytest.approx(1 / 9)
    assert _journey(around[:10] + "a").returns_share == 0


def test_a_song_that_waits_for_too_long_is_not_in_time() -> None:
    three = JourneyMap(chunks=3, songs=3)
    assert _journey("abc" * 5, three).in_time_share == 1
    # c is heard at the start alone, d never.
    assert _journey("abc" + "ab" * 8, three).in_time_share == pytest.approx(2 / 3)
    assert _journey("abc" * 5, JourneyMap(chunks=4, songs=4)).in_time_share == pytest.approx(3 / 4)
    assert np.isnan(_journey("abc", three).in_time_share)


def test_an_arc_goes_in_small_steps() -> None:
    songs = [f"{number:02d}" for number in range(40)]
    keys = [(song, 0, 1) for song in songs]
    tempo = dict(zip(keys, np.geomspace(80, 160, 40).tolist(), strict=True))
    energy = dict(zip(keys, np.random.default_rng(0).random(40).tolist(), strict=True))
    pool = JourneyMap(chunks=40, songs=40, tempo_bpm=tempo, energy=energy)
    found, curve = journey_of(_way(songs), pool, RATE_HZ)
    assert found.tempo_steps < 0.1
    assert found.energy_steps == pytest.approx(1.0, abs=0.2)
    assert found.song_changes == 40
    assert curve.tempo_bpm.tolist() == list(tempo.values())
    assert curve.at_s[:2].tolist() == [10.0, 20.0]


def test_a_stream_that_has_not_begun_tells_nothing() -> None:
    found, curve = journey_of([], JourneyMap(chunks=1, songs=1), RATE_HZ)
    assert found.song_changes == len(curve.at_s) == 0
    assert np.isnan([found.returns_share, found.in_time_share, found.tempo_steps, found.energy_steps]).all()
