"""No song comes back soon, none stays away for long, artists are spaced, and small pools give way."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.journey.arcs import ARC_S, pool_energy, wanted_energy
from stream.choosing.journey.spacing import SONGS_APART, Spacing, artists_apart, songs_apart
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.choosing.step import Step
from stream.choosing.weighing.weights import CostWeights
from tools.bench.journey import JourneyRecord, steps_over_random

CHUNKS = 8


def with_artists(generation: Generation, names: list[str]) -> Generation:
    songs = tuple(replace(song, artist=name) for song, name in zip(generation.pool.songs, names, strict=True))
    return replace(generation, pool=replace(generation.pool, songs=songs))


def heard(generation: Generation, songs: list[int], steps_each: int = 2) -> Course:
    """A course that visited these songs one after the other."""
    course = Course.new(len(generation.index))
    for number, song in enumerate(songs):
        for step in range(steps_each):
            first = step == 0
            row = song * CHUNKS + step
            course.follow(row, goes_on=not first, other_song=True if first and number else None, share=0.3)
    return course


def test_so_many_songs_lie_between_as_a_pool_allows() -> None:
    assert [songs_apart(count) for count in (1, 2, 3, 5, 15, 16, 100)] == [0, 0, 1, 2, 7, 8, 8]
    assert [artists_apart(count) for count in (1, 2, 3, 5, 50)] == [0, 0, 1, 2, 2]


def test_the_last_songs_and_the_last_artists_are_not_open() -> None:
    generation = made_up(songs=20, chunks=CHUNKS, chunk_s=4.0, seed=3)
    generation = with_artists(generation, [f"artist {song % 10}" for song in range(20)])
    course = heard(generation, [*range(9), 9])
    found = Spacing(generation).openings(course, 9 * CHUNKS + 1, np.ones(20, dtype=np.bool_))
    # 1 to 8 were left last, 9 plays; 18 and 19 are by the artists of 8 and 9.
    assert np.flatnonzero(found.open).tolist() == [0, *range(10, 18)]
    few = np.zeros(20, dtype=np.bool_)
    few[[8, 19]] = True
    given_way = Spacing(generation).openings(course, 9 * CHUNKS + 1, few)
    # Of so few 8 is too recent, and artists give way.
    assert np.flatnonzero(given_way.open).tolist() == [19]


def test_a_song_that_was_not_heard_for_long_goes_before_all_others() -> None:
    generation = made_up(songs=4, chunks=CHUNKS, chunk_s=4.0, seed=3)
    course = heard(generation, [0, 1, 2, *[1, 2] * 8])
    found = Spacing(generation).openings(course, 2 * CHUNKS + 1, np.ones(4, dtype=np.bool_))
    assert set(np.flatnonzero(found.open)) == {0, 3}
    assert found.late[3] >= found.late[0] > 1.0 and found.reasons


def journey(generation: Generation, steps: int, **changes: object) -> tuple[list[Step], dict[str, float]]:
    planner = Planner(generation, PlannerSettings(seed=2, **changes))  # type: ignore[arg-type]
    record, walked = JourneyRecord(generation), []
    for _ in range(steps):
        walked.append(planner.next())
        planner.deliver(walked[-1])
        record.take(walked[-1])
    return walked, record.told()


@pytest.mark.parametrize("seed", [2, 4, 6])
def test_a_stream_keeps_to_it(seed: int) -> None:
    walked, told = journey(made_up(songs=20, chunks=12, chunk_s=4.0, seed=seed), 700)
    songs = [song for song, _ in itertools.groupby(step.chunk.song_index for step in walked)]
    for place in range(len(songs) - 1):
        lately = list(dict.fromkeys(reversed(songs[: place + 1])))[1 : SONGS_APART + 1]
        assert songs[place + 1] not in lately
    assert told["returns_percent"] == 0.0
    assert told["longest_absence"] < 3.0
    assert told["other_song_percent"] == pytest.approx(34.0, abs=6.0)
    # No join within a song is any good in these: each is left by a door on the way, before it is over. With a
    # dozen doors as good as each other a twelfth would be the last one, and a song may have to be left by it.
    changes = [step for step in walked if step.leaves_song and step.after is not None]
    ends = [step for step in changes if (step.after.row + 1) % 12 == 0]
    assert len(ends) < 0.2 * len(changes)


@pytest.mark.parametrize("songs", [1, 2, 3])
def test_few_songs_go_on_all_the_same(songs: int) -> None:
    walked, told = journey(made_up(songs=songs, chunks=12, chunk_s=4.0, seed=4), 300)
    assert len(walked) == 300 and told["songs_heard"] == songs
    joins = [step for step in walked if step.after is not None and not step.natural]
    assert joins and all((step.door is not None) == step.leaves_song for step in joins)
    # A single song is gone back into when it is over, however well; two have each other.
    assert all(step.leaves_song == (songs > 1) for step in joins)


def test_energy_moves_in_arcs() -> None:
    generation = made_up(songs=24, chunks=12, chunk_s=4.0, seed=5)
    levels = np.repeat(np.random.default_rng(1).permutation(24) - 40.0, 12).astype(np.float32)
    generation = replace(generation, pool=replace(generation.pool, loudness_db=levels))
    energy = pool_energy(generation.pool)
    assert energy.min() >= 0.0 and energy.max() <= 1.0
    assert (np.diff(energy[np.argsort(levels, kind="stable")]) >= 0).all()
    _, with_arcs = journey(generation, 500, weights=CostWeights(arc=20.0))
    _, without = journey(generation, 500, weights=CostWeights(arc=0.0))
    assert with_arcs["energy_steps"] < 0.8 * without["energy_steps"]


def test_the_wanted_energy_rises_and_falls_evenly() -> None:
    wanted = np.array([wanted_energy(share * ARC_S) for share in np.linspace(0.0, 1.0, 101)])
    assert wanted[0] == pytest.approx(0.5) and wanted[25] == pytest.approx(1.0)
    assert wanted[75] == pytest.approx(0.0) and np.abs(np.diff(wanted)).max() < 0.021


def test_steps_over_random_are_those_of_all_pairs() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0])
    pairs = [abs(a - b) for a, b in itertools.combinations(values, 2)]
    assert steps_over_random(values) == pytest.approx(np.mean([3.0, 2.0, 6.0]) / np.mean(pairs))
