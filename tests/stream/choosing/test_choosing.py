"""The parts of a choice (phrases, hubs, repeats, likings) equal what is computed another way."""

import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.base.arrays import FloatArray
from model.base.errors import PoolError
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.phrases import NOWHERE, Phrases
from stream.choosing.played import PlayCounts
from stream.choosing.repeats import GRACE_PLAYS, MOST_SHARES, coverage, entries
from stream.choosing.settings import PlannerSettings
from stream.choosing.weighing.weights import CostWeights
from stream.index.edge_index import NEVER
from stream.pool import feedback
from stream.pool.feedback import (
    STATE_FILE,
    HeardJoin,
    LabelledJoin,
    feedback_problems,
    forget,
    labelled_joins,
    remember,
    remember_opinion,
    song_opinions,
)
from stream.scoring.hubs import hub_levels, sample_rows
from tests.support.pools import with_traits


@pytest.fixture(scope="module")
def generation() -> Generation:
    return made_up(songs=3, chunks=8, chunk_s=2.0, seed=3, width=16)


def lasting(least_s: float, most_s: float, *, bars: int) -> PlannerSettings:
    return PlannerSettings(min_phrase_s=least_s, max_phrase_s=most_s, min_phrase_bars=bars)


def test_phrases_last_bars_where_the_beat_is_known_and_seconds_where_not(generation: Generation) -> None:
    count = len(generation.index)
    # Song 0: 120 bpm in 4, so that 4 bars are 8 s; song 1: no beat; song 2: 90 bpm in 3, 4 bars are 8 s.
    tempo = np.repeat([120.0, 0.0, 90.0], 8)
    known = with_traits(
        generation,
        tempo_bpm=tempo,
        beat_confidence=np.ones(count),
        beats_per_bar=np.repeat([4, 0, 3], 8),
    )
    phrases = Phrases.of_pool(known.pool, lasting(5.0, 10.0, bars=4))
    for song, least in ((0, 4), (1, 3), (2, 4)):
        for place in range(8):
            entry = 8 * song + place
            enough = place + least <= 8
            assert phrases.first_exit[entry] == (entry + least - 1 if enough else NOWHERE)
            assert phrases.last_exit[entry] == 8 * song + min(place + 4, 7)


def test_a_song_shorter_than_a_phrase_is_one_from_its_first_chunk(generation: Generation) -> None:
    phrases = Phrases.of_pool(generation.pool, lasting(100.0, 100.0, bars=8))
    for entry in range(len(generation.index)):
        song, place = divmod(entry, 8)
        assert phrases.first_exit[entry] == (8 * song + 7 if place == 0 else NOWHERE)


def test_a_phrase_ends_before_its_song_fades_out_and_none_begins_there(generation: Generation) -> None:
    count = len(generation.index)
    lufs, loudness = np.full(count, -20.0), np.full(count, -20.0)
    # The second song fades out in its last two chunks, the last of which begins softly; the third has a soft
    # chunk amid it, and one at its end that is not much softer.
    loudness[14:16], lufs[15] = (-26.0, -40.0), -45.0
    loudness[20], loudness[23], lufs[20] = -45.0, -28.0, -45.0
    known = with_traits(generation, start_lufs=lufs)
    pool = replace(known.pool, loudness_db=loudness.astype(np.float32))
    phrases = Phrases.of_pool(pool, lasting(3.0, 100.0, bars=2))
    assert np.flatnonzero(~phrases.entry).tolist() == [14, 15]
    assert np.flatnonzero(~phrases.goes_on).tolist() == [7, 13, 15, 23]
    assert phrases.last_exit.tolist() == [7] * 8 + [13] * 6 + [15] * 2 + [23] * 8


def test_of_a_song_that_is_soft_for_long_the_last_seconds_alone_are_left_out(generation: Generation) -> None:
    count = len(generation.index)
    lufs, loudness = np.full(count, -20.0), np.full(count, -20.0)
    lufs[10:16], loudness[10:16] = -45.0, -45.0
    pool = with_traits(generation, start_lufs=lufs).pool
    slower = 8.0 / float((pool.end_s() - pool.start_s())[8:16].max())
    pool = replace(
        pool,
        loudness_db=loudness.astype(np.float32),
        start_sample=(slower * pool.start_sample).astype(np.int64),
        end_sample=(slower * pool.end_sample).astype(np.int64),
    )
    assert np.flatnonzero(~Phrases.of_pool(pool, lasting(3.0, 100.0, bars=2)).entry).tolist() == [14, 15]


def test_hubs_are_what_everything_likes() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(0.0, 1.0, (300, 300)).astype(np.float32)
    table[:, 7] += 3.0
    levels = hub_levels(lambda row: table[row], 300)
    assert int(levels.argmax()) == 7 and abs(float(levels.mean())) < 1e-5
    sampled = np.sort(table[sample_rows(300)], axis=0)[-13:].mean(axis=0)
    np.testing.assert_allclose(levels, sampled - sampled.mean(), atol=1e-4)
    assert sample_rows(10_000_000) == []


def test_a_phrase_begins_only_where_all_that_it_must_play_may_be_played(generation: Generation) -> None:
    phrases = Phrases.of_pool(generation.pool, lasting(5.0, 10.0, bars=4))
    course, nothing = Course.new(24), np.zeros(24, dtype=np.bool_)
    course.steps = 48
    most = int(MOST_SHARES * 2 + GRACE_PLAYS)
    counts = PlayCounts(last_played=np.array([47, 3, NEVER]), plays=np.array([0, 0, most]))
    course.played.put(np.array([4, 12, 20]), counts)
    found = entries(course, phrases, nothing, window=6, after=9)
    assert np.flatnonzero(found.blocked).tolist() == [4, 9, 20]
    # A phrase plays three chunks, so that the last two of a song begin none.
    assert np.flatnonzero(found.allowed).tolist() == [0, 1, 5, 10, 11, 12, 13, 16, 17, 21]

    def covered(weight: float, most: float, due: float) -> FloatArray:
        return coverage(course, phrases, CostWeights(coverage=weight, coverage_most=most, due=due))

    worth = covered(1.0, 3.0, 0.0)
    # The mean is two plays; from 18 on, 6 plays fall on three chunks.
    assert worth[18] == pytest.approx(-np.log(3.0 / 3.0))
    assert worth[20] == worth[18] and worth[0] == pytest.approx(np.log(3.0))
    assert covered(1.0, 1.0, 0.0)[0] == 1.0
    # What is due is worth more and more: of two plays one is forgiven, of twenty nineteen are not.
    assert covered(1.0, 1.0, 5.0)[[0, 18]] == pytest.approx([6.0, 0.0])
    course.steps = 20 * 24
    assert covered(1.0, 1.0, 5.0)[0] == pytest.approx(1.0 + 5.0 * 19)


@pytest.mark.parametrize("window", [0, 1, 6])
def test_the_window_blocks_what_plays_and_as_many_before_it(generation: Generation, window: int) -> None:
    phrases = Phrases.of_pool(generation.pool, lasting(0.0, 0.1, bars=0))
    course, nothing = Course.new(24), np.zeros(24, dtype=np.bool_)
    played = [5, 17, 2, 9, 21, 0, 13, 8, 19, 3]
    for row in played:
        course.follow(row, goes_on=False, other_song=True, share=0.5)
    found = entries(course, phrases, nothing, window=window, after=played[-1])
    assert np.flatnonzero(found.blocked).tolist() == sorted(played[-1 - window :])
    np.testing.assert_array_equal(found.allowed, ~found.blocked)


def test_a_course_goes_on_in_a_pool_that_was_built_anew() -> None:
    old, course = made_up(songs=3, chunks=8, chunk_s=2.0, seed=3), Course.new(24)
    for row in (1, 2, 9, 17, 17):
        course.follow(row, goes_on=False, other_song=True, share=0.5)
    larger = made_up(songs=5, chunks=8, chunk_s=2.0, seed=3)
    moved = course.moved(old, larger)
    assert moved.plays.tolist() == [*course.plays.tolist(), *[0] * 16]
    assert (moved.steps, moved.owed) == (course.steps, course.owed)
    coarser = made_up(songs=2, chunks=8, chunk_s=4.0, seed=3)
    assert (course.moved(old, coarser).last_played == NEVER).all()
    # Of a song that was cut anew each chunk is looked for: here the last two of each song are one.
    pool = old.pool
    last = np.arange(24) % 8 == 7
    ends = np.where(np.arange(24) % 8 == 6, pool.end_sample + round(2.0 * 44_100), pool.end_sample)
    columns = {"chunk_song": pool.chunk_song, "start_sample": pool.start_sample, "end_sample": ends}
    shorter = replace(
        old,
        pool=replace(pool, **{name: column[~last] for name, column in columns.items()}),
        opened=replace(
            old.opened,
            index=replace(
                old.index,
                song=old.index.song[~last],
                successor=old.index.successor[~last],
                heads=old.index.heads[~last],
                tails=old.index.tails[~last],
            ),
        ),
    )
    for row in (6, 15):
        course.follow(row, goes_on=False, other_song=True, share=0.5)
    cut_anew = course.moved(old, shorter)
    kept = (np.arange(24) % 8 < 6)[~last]
    np.testing.assert_array_equal(cut_anew.plays[kept], course.plays[np.arange(24) % 8 < 6])
    np.testing.assert_array_equal(cut_anew.last_played[kept], course.last_played[np.arange(24) % 8 < 6])
    assert (cut_anew.last_played[~kept] == NEVER).all() and not cut_anew.plays[~kept].any()


def test_other_songs_are_owed_and_given_in_advance_up_to_a_bound() -> None:
    course = Course.new(4)
    for other_song, share, expected in ((False, 0.34, 0.34), (True, 0.34, -0.32), (None, 0.34, -0.32)):
        course.follow(0, goes_on=other_song is None, other_song=other_song, share=share)
        assert course.owed == pytest.approx(expected)
    for other_song, bound in ((False, 4.0), (True, -4.0)):
        for _ in range(30):
            course.follow(0, goes_on=False, other_song=other_song, share=0.5)
        assert course.owed == bound


def test_judged_joins_are_kept_and_the_last_word_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock of which no two readings are the same.
    monkeypatch.setattr(feedback, "time", SimpleNamespace(time=itertools.count(1.0).__next__))
    assert labelled_joins(tmp_path) == []
    first = LabelledJoin(from_hash="a", from_end_sample=10, to_hash="b", to_start_sample=20, label=1)
    second = replace(first, to_hash="c", label=0)
    for join in (first, second, replace(first, label=0)):
        remember(tmp_path, join)
    assert sorted(labelled_joins(tmp_path), key=lambda join: join.to_hash) == [
        replace(first, label=0),
        second,
    ]
    monkeypatch.setattr(feedback, "MOST_JOINS", 1)
    assert labelled_joins(tmp_path) == [replace(first, label=0)]
    (tmp_path / STATE_FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(PoolError, match=r"state\.db"):
        labelled_joins(tmp_path)


def test_opinions_of_songs_are_kept_beside_joins_and_the_last_word_counts(tmp_path: Path) -> None:
    assert song_opinions(tmp_path) == {}
    # An earlier endlos kept joins alone.
    remember_opinion(tmp_path, "x", "muted")
    with closing(sqlite3.connect(tmp_path / STATE_FILE)) as connection, connection:
        connection.execute("DROP TABLE song_opinions")
    assert song_opinions(tmp_path) == {} and labelled_joins(tmp_path) == []
    for audio_hash, opinion in (("a", "muted"), ("b", "favoured"), ("a", "favoured"), ("c", "muted")):
        remember_opinion(tmp_path, audio_hash, opinion)  # type: ignore[arg-type]
    remember_opinion(tmp_path, "c", None)
    assert song_opinions(tmp_path) == {"a": "favoured", "b": "favoured"}
    join = LabelledJoin(from_hash="a", from_end_sample=10, to_hash="b", to_start_sample=20, label=1)
    remember(tmp_path, join)
    forget(tmp_path, HeardJoin(from_hash="a", from_end_sample=10, to_hash="b", to_start_sample=20))
    assert labelled_joins(tmp_path) == [] and len(song_opinions(tmp_path)) == 2
    with closing(sqlite3.connect(tmp_path / STATE_FILE)) as connection, connection:
        connection.execute("UPDATE song_opinions SET opinion = 'loved' WHERE audio_hash = 'a'")
    with pytest.raises(PoolError, match="no opinion"):
        song_opinions(tmp_path)
    assert any("no opinion" in problem for problem in feedback_problems(tmp_path))
