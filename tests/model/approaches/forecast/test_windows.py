"""Windows lie in music that runs on, over the seam of neighbours too, and never in padding."""

from dataclasses import replace

import numpy as np
import pytest

from model.approaches.forecast.windows import Windows
from model.base.errors import ModelError
from model.learning.edge_set import EdgeSet

CEILING = 40
LENGTHS = np.array([100, 100, 25, 100, 15, 60])
SONGS = np.array([0, 0, 0, 1, 1, 2])
PADDING = np.float32(-1.0)


@pytest.fixture
def edges() -> EdgeSet:
    """Samples count on in each song; beyond a short chunk there is padding."""
    starts = np.concatenate(
        [np.cumsum(LENGTHS[song == SONGS]) - LENGTHS[song == SONGS] + 1000 * (song + 1) for song in range(3)]
    )
    heads, tails = np.full((2, len(SONGS), 2, CEILING), PADDING, dtype=np.float32)
    for chunk, (start, length) in enumerate(zip(starts, LENGTHS, strict=True)):
        held = min(length, CEILING)
        heads[chunk, :, :held] = start + np.arange(held)
        tails[chunk, :, CEILING - held :] = start + length - held + np.arange(held)
    return EdgeSet(
        chunk_song=SONGS,
        chunk_samples=LENGTHS,
        rows=np.arange(len(SONGS)),
        heads=heads,
        tails=tails,
        source={},
    )


def test_every_window_runs_on_and_every_place_is_drawn(edges: EdgeSet) -> None:
    windows = Windows.of(edges, 30)
    drawn = windows.draw(4_000, np.random.default_rng(0))
    assert drawn.shape == (4_000, 30) and drawn.dtype == np.float32
    np.testing.assert_array_equal(np.diff(drawn, axis=1), 1.0)
    # Where a window may begin, found sample by sample in each strip of a tail and the head after it.
    expected = set()
    for chunk in range(len(SONGS)):
        strip = edges.tails[chunk, 0].tolist()
        if chunk + 1 < len(SONGS) and SONGS[chunk + 1] == SONGS[chunk]:
            strip += edges.heads[chunk + 1, 0].tolist()
        strips = [strip]
        if chunk == 0 or SONGS[chunk - 1] != SONGS[chunk]:
            strips.append(edges.heads[chunk, 0].tolist())
        for one in strips:
            places = range(len(one) - 29)
            expected |= {one[at] for at in places if PADDING not in one[at : at + 30]}
    assert set(drawn[:, 0].tolist()) == expected
    # Over the seam of neighbours, too.
    assert (drawn[:, 0] < 1100).any() and ((drawn[:, 0] < 1100) & (drawn[:, -1] >= 1100)).any()


def test_they_are_the_same_for_the_same_seed_and_come_from_the_rows_that_are_named(edges: EdgeSet) -> None:
    turned = replace(
        edges, rows=np.arange(len(SONGS))[::-1].copy(), heads=edges.heads[::-1], tails=edges.tails[::-1]
    )
    one, other = (Windows.of(some, 30).draw(50, np.random.default_rng(3)) for some in (edges, turned))
    np.testing.assert_array_equal(one, other)


def test_songs_in_which_nothing_runs_on_for_so_long_are_refused_in_one_sentence(edges: EdgeSet) -> None:
    assert len(Windows.of(edges, 80).tails) == 1
    with pytest.raises(ModelError, match=r"nowhere in the songs do 81 samples .* longer --edge-s"):
        Windows.of(edges, 81)
