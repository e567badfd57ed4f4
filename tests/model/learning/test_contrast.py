"""The contrast is InfoNCE over what is asked, and music that comes again is not asked for."""

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.learning.contrast import (
    NOT_ASKED,
    OTHER_SONG,
    SAME_SONG,
    TRUE,
    contrast,
    pair_kinds,
    same_music,
)
from model.learning.drawn_seams import Seams


def spectra(count: int) -> FloatArray:
    shape = (count, SPECTRUM_FRAMES, SPECTRUM_BINS)
    return np.random.default_rng(4).uniform(-90, -5, shape).astype(np.float32)


def test_music_that_comes_again_is_known_in_its_own_song_only() -> None:
    rng = np.random.default_rng(4)
    heads = rng.uniform(-80, -10, (4, SPECTRUM_FRAMES, SPECTRUM_BINS)).astype(np.float32)
    heads[1] = heads[0] + 0.5
    heads[3] = heads[0]
    found = same_music(Seams(tails=heads, heads=heads, song=np.array([0, 0, 0, 1])))
    expected = np.zeros((4, 4), bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(found, expected)


def test_the_loss_is_infonce_among_all_and_in_the_song() -> None:
    logits = np.array([[2.0, 1.0, 0.5], [0.0, 3.0, -1.0], [0.2, 0.1, 1.0]])
    kinds = np.array(
        [[TRUE, SAME_SONG, OTHER_SONG], [NOT_ASKED, TRUE, OTHER_SONG], [OTHER_SONG, OTHER_SONG, TRUE]]
    )
    asked = kinds != NOT_ASKED
    in_song = asked & (kinds != OTHER_SONG)

    def missed(mask: BoolArray) -> DoubleArray:
        held = np.where(mask, np.exp(logits), 0)
        right = np.exp(np.diagonal(logits))
        lost: DoubleArray = -0.5 * (np.log(right / held.sum(axis=1)) + np.log(right / held.sum(axis=0)))
        return lost

    expected = 0.7 * missed(asked) + 0.3 * missed(in_song)
    found = contrast(0.3)(kinds.astype(np.float32), logits.astype(np.float32))
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5)


def test_doubles_of_the_true_head_are_not_asked_for() -> None:
    heads = spectra(3)
    heads[1] = heads[0]
    kinds = pair_kinds(Seams(tails=heads, heads=heads, song=np.array([0, 0, 1])))
    np.testing.assert_array_equal(
        kinds,
        [[TRUE, NOT_ASKED, OTHER_SONG], [NOT_ASKED, TRUE, OTHER_SONG], [OTHER_SONG, OTHER_SONG, TRUE]],
    )
