"""Transitions are those of the songs, false ones are none of them, and groups are of what sounds alike."""

import numpy as np
import pytest

from model.approaches.categorical.data import Transitions, edge_transitions, entered_from, grid_transitions
from model.approaches.categorical.groups import Groups
from model.base.errors import ModelError
from model.features.spectra import MEL_BANDS, SPECTRUM_FRAMES
from model.learning.song_set import GRID_BANDS, GRID_STEPS_PER_DB
from tests.support.edges import tone_edges

EDGE = 100


def test_a_songs_first_chunk_is_entered_from_its_last() -> None:
    song = np.array([4, 4, 4, 7, 9, 9])
    assert entered_from(song).tolist() == [2, 0, 1, 3, 5, 4]


def test_a_network_sees_the_tail_before_and_the_head_after() -> None:
    edges = tone_edges(2, 3, 150)
    rows = np.arange(6)
    found = edge_transitions(edges, EDGE, rows, entered_from(edges.chunk_song), None)
    seen = found.look(found.before, rows)
    assert seen.shape == (6, 2 * EDGE, 1)
    np.testing.assert_array_equal(seen[3, :EDGE, 0], edges.tails[5, 0, -EDGE:])
    np.testing.assert_array_equal(seen[3, EDGE:, 0], edges.heads[3, 0, :EDGE])


def test_spectra_are_those_on_both_sides_of_each_cut() -> None:
    rng = np.random.default_rng(0)
    grids = [
        rng.integers(-80, -10, (rows, GRID_BANDS)).astype(np.int16) * GRID_STEPS_PER_DB
        for rows in (1400, 900)
    ]
    spans = [np.array([[0, 700], [700, 1400]]), np.array([[10, 890]])]
    found = grid_transitions(grids, spans)
    assert found.song.tolist() == [0, 0, 1] and found.before.tolist() == [1, 0, 2]
    assert grid_transitions(grids, spans, in_song=False).before.tolist() == [2, 0, 1]
    seen = found.look(np.array([0, 2]), np.array([1, 0]))
    assert seen.shape[:2] == (2, 2 * SPECTRUM_FRAMES)
    # The first frame of a head is the grid's first row in the chunk, whose mel bands stand first.
    expected = grids[0][700, :MEL_BANDS] / GRID_STEPS_PER_DB
    np.testing.assert_allclose(seen[0, SPECTRUM_FRAMES, :MEL_BANDS], expected, atol=0.01)


def test_false_transitions_are_drawn_at_random_and_never_true() -> None:
    song = np.repeat(np.arange(2), 3)
    before = entered_from(song)
    found = Transitions(song=song, before=before, look=lambda tails, heads: np.empty(0, dtype=np.float32))
    drawn = [found.false(np.random.default_rng(seed)) for seed in range(50)]
    assert all(len(tails) == len(heads) == 6 and (tails != before[heads]).all() for tails, heads in drawn)
    assert len({tuple(tails) + tuple(heads) for tails, heads in drawn}) == 50
    same = np.concatenate([song[tails] == song[heads] for tails, heads in drawn])
    assert 0.2 < same.mean() < 0.6


def levels(rng: np.random.Generator, kinds: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> np.ndarray:  # type: ignore[type-arg]
    """Transitions of three kinds of sound, over noise."""
    shapes = np.eye(3).repeat(2 * MEL_BANDS // 3 + 1, axis=1)[:, : 2 * MEL_BANDS] * 24.0 - 60.0
    return (shapes[kinds] + rng.normal(0, 1.0, (len(kinds), 2 * MEL_BANDS))).astype(np.float32)


def test_transitions_are_grouped_by_their_sound_and_belong_to_the_nearest_group_most() -> None:
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 3, 90)
    known = levels(rng, kinds)
    groups = Groups.of(known, 3, 0)
    found = groups.nearest(known)
    assert len({(kind, group) for kind, group in zip(kinds.tolist(), found.tolist(), strict=True)}) == 3
    fresh = levels(rng, kinds)
    members = groups.members(fresh)
    np.testing.assert_allclose(members.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(members.argmax(axis=1), found)
    # Half way between two groups it belongs to both.
    between = (known[kinds == 0].mean(axis=0) + known[kinds == 1].mean(axis=0)) / 2
    assert np.sort(groups.members(between[None])[0])[-2] > 0.2


def test_an_odd_song_takes_no_group_for_itself() -> None:
    """Of two groups each has half of the usual transitions, and none is the one that is unlike all others."""
    apart = np.where(np.arange(2 * MEL_BANDS) % 2 == 0, 5.0, -5.0)
    usual = np.repeat([apart, -apart], 30, axis=0)
    odd = np.where(np.arange(2 * MEL_BANDS) < MEL_BANDS, 100.0, -100.0)[None]
    known = np.concatenate([usual, odd]).astype(np.float32)
    sizes = np.bincount(Groups.of(known, 2, 0).nearest(known), minlength=2)
    assert sorted(sizes.tolist()) == [30, 31]


def test_more_groups_than_transitions_are_refused() -> None:
    with pytest.raises(ModelError, match="give fewer --classes, or more songs with --reference"):
        Groups.of(np.zeros((3, 2 * MEL_BANDS), dtype=np.float32), 4, 0)
