"""The towers foretell an end's continuation, by lags heard by hand and frames copied from repeats."""

import numpy as np
import pytest

from model.approaches.tower.networks import Foretell, TowerShape, build_towers, set_scale
from model.base.arrays import FloatArray
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES

SHAPE = TowerShape()
LAGS = range(SHAPE.shortest_lag, SHAPE.longest_lag + 1)


@pytest.fixture(scope="module")
def foretell() -> Foretell:
    layer = Foretell(SHAPE)
    layer.build([(None, SPECTRUM_FRAMES, SPECTRUM_BINS), (None, SPECTRUM_FRAMES, SHAPE.value_units)])
    return layer


def random(*shape: int) -> FloatArray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_a_lag_is_heard_in_the_frames_that_lie_so_far_apart(foretell: Foretell) -> None:
    alike = random(2, SHAPE.heard_frames, SPECTRUM_FRAMES)
    expected = np.zeros((2, len(LAGS)))
    for number, lag in enumerate(LAGS):
        total = 0.0
        for back in range(SHAPE.heard_frames):
            before = SPECTRUM_FRAMES - 1 - back - lag
            if before >= 0:
                weight = np.exp(-back / 24)
                expected[:, number] += weight * alike[:, SHAPE.heard_frames - 1 - back, before]
                total += weight
        expected[:, number] /= total
    np.testing.assert_allclose(np.asarray(foretell.by_lag(alike)), expected, atol=1e-5)


def test_what_followed_a_lag_ago_is_copied_and_copied_again(foretell: Foretell) -> None:
    weight = random(2, len(LAGS))
    expected = np.zeros((2, SHAPE.foretold_frames, SPECTRUM_FRAMES))
    for number, lag in enumerate(LAGS):
        for ahead in range(SHAPE.foretold_frames):
            expected[:, ahead, SPECTRUM_FRAMES - lag + ahead % lag] += weight[:, number]
    np.testing.assert_allclose(np.asarray(foretell.copies(weight)), expected, atol=1e-5)


@pytest.mark.parametrize("period", [16, 37, 80])
def test_music_that_repeats_itself_is_foretold(period: int) -> None:
    layer = Foretell(SHAPE)
    once = random(period, SPECTRUM_BINS)
    frames = np.tile(once, (8, 1))[np.newaxis, -SPECTRUM_FRAMES:]
    values = frames[:, :, : SHAPE.value_units]
    layer([frames, values])
    layer.sharpness.assign(200.0)
    found = np.asarray(layer([frames, values]))[0]
    expected = np.tile(once, (2, 1))[: SHAPE.foretold_frames, : SHAPE.value_units]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_an_embedding_does_not_depend_on_what_it_is_embedded_with() -> None:
    towers = build_towers()
    set_scale(towers, np.full(SPECTRUM_BINS, -50, np.float32), np.full(SPECTRUM_BINS, 20, np.float32))
    tails = random(4, SPECTRUM_FRAMES, SPECTRUM_BINS) * 40 - 50
    together = np.asarray(towers.ends.predict_on_batch(tails))
    alone = np.asarray(towers.ends.predict_on_batch(tails[2:3]))
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)
    lengths = [
        np.linalg.norm(part, axis=1) for part in np.split(together, np.cumsum(SHAPE.parts)[:-1], axis=1)
    ]
    # Each part is of length one times the temperature's start.
    np.testing.assert_allclose(lengths, 3.5, rtol=1e-3)
