"""Transitions of reference songs are classes, in the order of the songs, or are grouped by their sound."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import ModelError
from model.features.spectra import MEL_BANDS, SPECTRUM_BINS, SPECTRUM_FLOOR_DB, SPECTRUM_FRAMES
from model.learning.edge_set import EdgeSet
from model.learning.song_set import GRID_BANDS, GRID_STEPS_PER_DB, SongSet
from model.learning.transitions import (
    chunk_transitions,
    edge_classes,
    nearest_centres,
    seam_levels,
    song_classes,
)

ROWS = 700
"""Rows of a grid in a chunk: longer than what is seen of it."""


def all_of(song: IntArray) -> BoolArray:
    return np.ones(len(song), dtype=np.bool_)


def edges_of(*chunks: int, reference: BoolArray | None = None, bands_db: FloatArray | None = None) -> EdgeSet:
    """Songs of so many chunks; both sides of a chunk have the mel bands `bands_db` of it."""
    song = np.repeat(np.arange(len(chunks)), chunks)
    spectra = np.full((len(song), 2, SPECTRUM_FRAMES, SPECTRUM_BINS), -60.0, dtype=np.float16)
    if bands_db is not None:
        spectra[..., :MEL_BANDS] = bands_db[:, None, None]
    edges = np.zeros((len(song), 2, 100), dtype=np.float32)
    return EdgeSet(
        chunk_song=song,
        chunk_samples=np.full(len(song), 200),
        rows=np.arange(len(song)),
        heads=edges,
        tails=edges,
        source={},
        reference=reference,
        spectra=spectra,
    )


def two_kinds(rng: np.random.Generator, kinds: IntArray) -> FloatArray:
    """Mel bands of chunks of kind 0, all below, or 1, all above."""
    sounds = np.where(np.arange(MEL_BANDS) < 20, -20.0, -60.0)
    levels = np.where(kinds[:, None] == 0, sounds, sounds[::-1])
    return (levels + rng.normal(0, 1, (len(kinds), MEL_BANDS))).astype(np.float32)


def test_transitions_stay_in_their_song_or_go_round_the_whole_reference() -> None:
    song = np.repeat(np.arange(3), [3, 1, 2])
    before, after = chunk_transitions(song, all_of(song), wrap=False)
    assert list(zip(before, after, strict=True)) == [(0, 1), (1, 2), (4, 5)]
    before, after = chunk_transitions(song, all_of(song), wrap=True)
    assert list(zip(before, after, strict=True)) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]


def test_transitions_are_those_of_the_reference_alone() -> None:
    song = np.repeat(np.arange(3), [3, 2, 2])
    before, after = chunk_transitions(song, song != 1, wrap=True)
    assert list(zip(before, after, strict=True)) == [(0, 1), (1, 2), (2, 5), (5, 6), (6, 0)]


@pytest.mark.parametrize(
    ("song", "wrap", "said"), [([0, 1], False, "no"), ([0], True, "no"), ([0, 0], False, "only")]
)
def test_a_reference_without_two_transitions_is_said_so(song: list[int], wrap: bool, said: str) -> None:
    with pytest.raises(ModelError, match=f"have {said} two chunks in a row"):
        chunk_transitions(np.array(song), all_of(np.array(song)), wrap=wrap)
    assert len(chunk_transitions(np.array([0, 0]), all_of(np.zeros(2, np.int64)), wrap=True)[0]) == 2


def test_each_transition_is_a_class_unless_groups_are_asked_for() -> None:
    classes = edge_classes(edges_of(4, 3), None, wrap=False, seed=0)
    assert classes.count == 5
    assert classes.centres is None
    np.testing.assert_array_equal(classes.labels, np.arange(5))
    assert edge_classes(edges_of(4, 3), None, wrap=True, seed=0).count == 7


def test_transitions_of_one_kind_are_of_one_group() -> None:
    rng = np.random.default_rng(3)
    kinds = rng.integers(0, 2, 40)
    found = edge_classes(edges_of(40, bands_db=two_kinds(rng, kinds)), 4, wrap=False, seed=0)
    assert found.count == 4
    kind_of_seam = 2 * kinds[:-1] + kinds[1:]
    pairs = set(zip(kind_of_seam.tolist(), found.labels.tolist(), strict=True))
    assert len(pairs) == len(set(kind_of_seam.tolist())) == 4


def test_frames_that_a_short_chunk_does_not_have_are_not_counted() -> None:
    rng = np.random.default_rng(5)
    tails, heads = (
        rng.uniform(-60, -10, (3, SPECTRUM_FRAMES, SPECTRUM_BINS)).astype(np.float32) for _ in range(2)
    )
    tails[1, :-40] = heads[1, 40:] = SPECTRUM_FLOOR_DB
    tails[2] = heads[2] = SPECTRUM_FLOOR_DB
    found = seam_levels(tails, heads)
    expected = [tails[1, -40:, :MEL_BANDS].mean(axis=0), heads[1, :40, :MEL_BANDS].mean(axis=0)]
    np.testing.assert_allclose(found[1], np.concatenate(expected), rtol=1e-5)
    np.testing.assert_array_equal(found[2], -80.0)


def test_songs_are_grouped_at_the_cuts_of_the_pool() -> None:
    rng = np.random.default_rng(4)
    kinds = rng.integers(0, 2, 12)
    grid = np.full((12 * ROWS, GRID_BANDS), -60.0)
    grid[:, :MEL_BANDS] = np.repeat(two_kinds(rng, kinds), ROWS, axis=0)
    spans = np.stack([np.arange(12) * ROWS, np.arange(1, 13) * ROWS], axis=1)
    songs = SongSet(
        grids=[np.zeros((ROWS, GRID_BANDS), np.int16), (grid * GRID_STEPS_PER_DB).astype(np.int16)],
        source={},
        spans=[np.array([[0, ROWS]]), spans],
        reference=[1],
    )
    found = song_classes(songs, 4, wrap=True, seed=0)
    kind_of_seam = 2 * kinds + np.roll(kinds, -1)
    pairs = set(zip(kind_of_seam.tolist(), found.labels.tolist(), strict=True))
    assert len(pairs) == len(set(kind_of_seam.tolist())) == 4


def test_chunks_on_both_sides_of_a_silence_are_no_transition() -> None:
    songs = SongSet(
        grids=[np.zeros((900, GRID_BANDS), np.int16)],
        source={},
        spans=[np.array([[0, 200], [200, 400], [500, 700], [700, 900]])],
        reference=[0],
    )
    assert song_classes(songs, None, wrap=False, seed=0).count == 2


def test_more_classes_than_transitions_are_refused() -> None:
    with pytest.raises(ModelError, match=r"9 classes were asked for, the reference songs have 8 transitions"):
        edge_classes(edges_of(9), 9, wrap=False, seed=0)


def test_a_pool_without_spectra_cannot_be_grouped() -> None:
    edges = edges_of(9)
    with pytest.raises(ModelError, match="keeps no spectra"):
        edge_classes(EdgeSet(**{**vars(edges), "spectra": None}), 3, wrap=False, seed=0)


def test_the_nearest_centre_is_that_of_scikit_learn_for_either_float_type() -> None:
    rng = np.random.default_rng(6)
    levels = rng.normal(size=(300, 80))
    fitted = KMeans(n_clusters=12, n_init=1, random_state=0).fit(levels)
    expected = fitted.predict(levels)
    # The library itself refuses (1.9) what was fitted in one type and is asked in the other.
    with pytest.raises(ValueError, match="dtype mismatch"):
        fitted.predict(levels.astype(np.float32))
    for seen in (levels, levels.astype(np.float32), levels.astype(np.float16)):
        found = nearest_centres(seen, fitted.cluster_centers_)
        assert np.mean(found == expected) > (0.98 if seen.dtype == np.float16 else 0.999)
