"""The worst moment of a long join counts, and is held against as many moments of untouched music."""

import numpy as np
import pytest

from model.base.arrays import DoubleArray
from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.hearing.areas import Scored, matched_area
from tools.quality.joins.hearing.moments import MOMENT_STEP_S, moments_of, places_between
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.hearing.worst import (
    SECTION_SHARE,
    section_changes,
    worst_area,
    worst_of_joins,
    worst_of_stretches,
)

RATE_HZ = 1000


def _join(before_frames: int, after_frames: int) -> Boundary:
    return Boundary(
        centre_frames=0,
        before_frames=before_frames,
        after_frames=after_frames,
        joined=True,
        from_key=("a", 0, 1),
        to_key=("b", 0, 1),
        left_s=0.0,
        entered_s=0.0,
    )


def _samples(songs: list[str], at_s: DoubleArray, transition: list[int], joined: list[bool]) -> Samples:
    count = len(songs)
    names = np.array(songs)
    return Samples(
        mel=np.zeros((count, 4, 2), dtype=np.float16),
        evidence=np.zeros((count, 1), dtype=np.float32),
        joined=np.array(joined),
        other_song=np.array(joined),
        from_song=names,
        to_song=names,
        fold=np.zeros(count, dtype=np.int64),
        condition=np.full(count, "natural"),
        transition=np.array(transition),
        at_s=at_s,
    )


def _untouched(count: int) -> Samples:
    return _samples(["a"] * count, 0.75 * np.arange(count), list(range(count)), [False] * count)


def test_a_short_fade_is_one_window_and_a_long_one_is_slid_over_from_begin_to_end() -> None:
    assert moments_of(_join(750, 750), 1.5, RATE_HZ).tolist() == [0]
    long = moments_of(_join(0, 8000), 1.5, RATE_HZ)
    assert (long[0], long[-1], len(long)) == (0, 8000, 12)
    assert np.diff(long).max() <= MOMENT_STEP_S * RATE_HZ
    assert moments_of(_join(1000, 1000), 1.5, RATE_HZ).tolist() == [-1000, -333, 333, 1000]


def test_an_untouched_chunk_is_listened_to_along_its_length_and_in_its_middle() -> None:
    places = places_between(3000, RATE_HZ)
    assert places.tolist() == [750, 1500, 2250]
    assert places_between(800, RATE_HZ).tolist() == [400]


def test_the_worst_window_of_a_join_counts() -> None:
    samples = _samples(["a", "a", "a", "b"], np.arange(4.0), [0, 0, 0, 1], [True] * 4)
    found = worst_of_joins(samples, np.array([0.0, 5.0, 1.0, 2.0]), samples.joined)
    assert found.score.tolist() == [5, 2]
    assert found.moments.tolist() == [3, 1]
    assert found.song.tolist() == ["a", "b"]


def test_a_stretch_has_as_many_windows_as_the_join_and_lies_about_its_border() -> None:
    samples = _untouched(8)
    scores = np.array([9.0, 0, 1, 2, 3, 0, 0, 9])
    track = np.ones(8, dtype=np.bool_)
    centres = np.arange(8) == 3
    found = worst_of_stretches(samples, scores, track, centres, np.array([3, 3, 5, 9]))
    assert found.moments.tolist() == [3, 5]
    assert found.score.tolist() == [3, 3]
    assert found.weight.tolist() == [0.5, 0.25]
    # The song ends, or something was left out: no stretch goes over that.
    gap = Samples(**{**vars(samples), "at_s": samples.at_s + 9.0 * (np.arange(8) >= 4)})
    assert not len(worst_of_stretches(gap, scores, track, centres, np.array([3])))


def test_more_moments_alone_give_nothing_away() -> None:
    """Joins of nine windows that are like any others: their largest score is high, and so is a stretch's."""
    rng = np.random.default_rng(0)
    places = _untouched(2000)
    joins = _samples(["a"] * 900, 1e6 + np.arange(900.0), [n // 9 for n in range(900)], [True] * 900)
    samples = Samples.joined_of([places, joins])
    scores = rng.normal(size=len(samples))
    track = ~samples.joined
    found = worst_of_joins(samples, scores, samples.joined)
    assert (len(found), set(found.moments.tolist())) == (100, {9})
    area = worst_area(samples, scores, found, track, track, track, 0)
    assert area is not None and area.value == pytest.approx(0.5, abs=0.06)
    single = worst_of_joins(samples, scores, track)
    against_single = matched_area(found, single, 0, resamples=2)
    assert against_single is not None and against_single.value > 0.85


def test_places_count_as_long_joins_are_long() -> None:
    joins = Scored(
        score=np.array([0.0, 9.0]), song=np.array(["a", "a"]), moments=np.array([1, 9]), weight=np.ones(2)
    )
    others = Scored(
        score=np.array([0.0, 0, 0, 9]),
        song=np.array(["a"] * 4),
        moments=np.array([1, 1, 1, 9]),
        weight=np.ones(4),
    )
    area = matched_area(joins, others, 0, resamples=2)
    assert area is not None and area.value == pytest.approx(0.5)


def test_long_joins_of_a_song_without_long_places_are_held_against_those_of_other_songs() -> None:
    joins = Scored(
        score=np.array([0.0, 9.0]), song=np.array(["a", "b"]), moments=np.array([1, 9]), weight=np.ones(2)
    )
    others = Scored(
        score=np.array([0.0, 0, 9, 9]),
        song=np.array(["a", "b", "a", "c"]),
        moments=np.array([1, 1, 9, 9]),
        weight=np.ones(4),
    )
    area = matched_area(joins, others, 0, resamples=2)
    assert area is not None and area.value == pytest.approx(0.5)


def test_a_section_change_is_where_the_timbre_becomes_another_and_stays() -> None:
    samples = _untouched(200)
    mel = np.zeros((200, 4, 2), dtype=np.float16)
    mel[100:] = 12.0
    # Louder for a moment is no change of section.
    mel[40:42] = 12.0
    samples = Samples(**{**vars(samples), "mel": mel})
    track = np.ones(200, dtype=np.bool_)
    borders = np.arange(200) % 5 == 0
    found = section_changes(samples, track, borders)
    assert found[100]
    assert not found[40]
    assert found.sum() == round(SECTION_SHARE * 38)
