"""Seam distances: what repeats itself predicts what follows; sums against NumPy."""

import itertools

import numpy as np
import pytest

from model.kernels import FloatArray
from model.seam import (
    ECHO_BANDS,
    ECHO_FRAMES,
    GROUPS,
    SEAM_VALUES,
    STEPS_PER_DB,
    WINDOW_FRAMES,
    seam_sides,
    seam_terms,
)
from model.spectral import SPECTRUM_BINS, SPECTRUM_FRAMES, SPECTRUM_HOP_S


def _loop(period: int, frames: int) -> FloatArray:
    """Random spectra that come round every `period` frames."""
    rng = np.random.default_rng(period)
    once = rng.uniform(-60.0, -10.0, (period, SPECTRUM_BINS)).astype(np.float32)
    return np.tile(once, (-(-frames // period), 1))[:frames]


def _spectra(song: FloatArray, start: int) -> FloatArray:
    """Head and tail of the chunk of `SPECTRUM_FRAMES` from `start` on."""
    side = song[start : start + SPECTRUM_FRAMES]
    return np.stack([side, side])


@pytest.mark.parametrize("apart", [0, 4, 9])
@pytest.mark.parametrize("period", [12, 29])
def test_an_echo_is_what_follows_and_what_came_before(period: int, apart: int) -> None:
    song = _loop(period, 900)
    # The next frame lies WINDOW_FRAMES on, that is WINDOW_FRAMES - 1 between both.
    following = 100 + SPECTRUM_FRAMES - 1 + WINDOW_FRAMES + apart
    sides = seam_sides(
        np.stack([_spectra(song, 100), _spectra(song, following), _spectra(song, following + period // 3)]),
        apart_s=apart * SPECTRUM_HOP_S,
    )
    echoes = sides.distances_db(0)[:, :4]
    # Lags beyond the longest are not looked at, so the two best agree for every frame: exact but for steps.
    assert echoes[1].max() <= 1 / STEPS_PER_DB
    assert echoes[2].min() > 1.0


def test_distances_are_mean_differences_of_each_group() -> None:
    rng = np.random.default_rng(1)
    spectra = rng.uniform(-90.0, 0.0, (5, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)).astype(np.float16)
    sides = seam_sides(spectra)
    assert sides.ends.shape == sides.starts.shape == (5, SEAM_VALUES)
    bounds = np.cumsum([0, *GROUPS.values()])
    for row in range(5):
        apart = np.abs(sides.ends[row].astype(np.float64) - sides.starts) / STEPS_PER_DB
        expected = [apart[:, one:two].mean(axis=1) for one, two in itertools.pairwise(bounds)]
        np.testing.assert_allclose(sides.distances_db(row), np.stack(expected, axis=1), rtol=1e-6)
    chosen = np.array([3, 1])
    np.testing.assert_array_equal(sides.distances_db(2, chosen), sides.distances_db(2)[chosen])
    for outside in (-1, 5):
        with pytest.raises(IndexError, match="among the 5 chunks"):
            sides.distances_db(2, np.array([0, outside]))


def test_an_end_holds_its_own_frames_from_the_cut_inwards() -> None:
    song = _loop(40, 200)
    sides = seam_sides(_spectra(song, 0)[None])
    there = song[SPECTRUM_FRAMES - ECHO_FRAMES : SPECTRUM_FRAMES, : 2 * ECHO_BANDS][::-1]
    coarse = there.reshape(ECHO_FRAMES, ECHO_BANDS, 2).mean(axis=2).ravel()
    first = ECHO_FRAMES * ECHO_BANDS
    np.testing.assert_allclose(
        sides.ends[0, first : 2 * first] / STEPS_PER_DB, coarse, atol=0.5 / STEPS_PER_DB + 1e-4
    )


def test_silence_has_finite_terms() -> None:
    sides = seam_sides(np.full((2, 2, SPECTRUM_FRAMES, SPECTRUM_BINS), -100.0, np.float16))
    terms = seam_terms(sides.distances_db(0))
    assert terms.shape == (2, 3 * len(GROUPS))
    assert np.isfinite(terms).all()
    # A smaller distance is a larger term, in every form.
    low, high = seam_terms(np.array([[0.5], [2.0]], np.float32))
    assert (low > high).all()
