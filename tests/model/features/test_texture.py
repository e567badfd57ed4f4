"""Textures compare rhythms by their period and tones by their bands, and levels not at all."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.features.spectra import MEL_BANDS, SPECTRUM_BINS, SPECTRUM_FRAMES, SPECTRUM_HOP_S
from model.features.texture import DISTANCES, REACH_FRAMES, TEXTURE_VALUES, Textures, textures


def struck(period_s: float, phase: int = 0, tone_db: float = 0.0) -> FloatArray:
    """One side of a chunk: every band struck at a period and dying away, the upper half of them louder."""
    frames = (np.arange(SPECTRUM_FRAMES) + phase) % round(period_s / SPECTRUM_HOP_S)
    bands = np.full((SPECTRUM_FRAMES, SPECTRUM_BINS), -30.0) - 1.5 * frames[:, None]
    bands[:, MEL_BANDS // 2 : MEL_BANDS] += tone_db
    return bands.astype(np.float32)


def of_sides(*sides: FloatArray) -> Textures:
    """Textures of chunks that sound the same at both ends."""
    return textures(np.stack([np.stack([side, side]) for side in sides]))


def test_the_same_rhythm_is_near_whatever_its_phase_and_level() -> None:
    same, later, softer = struck(0.5), struck(0.5, phase=7), struck(0.5) - 9.0
    third, tone = struck(0.37), struck(0.5, tone_db=8.0)
    found = of_sides(same, later, softer, third, tone).distances(0)
    assert found.shape == (5, len(DISTANCES)) and found.dtype == np.float32
    rhythm, apart_db = found.T
    assert rhythm[[0, 1, 2, 4]] == pytest.approx(0.0, abs=0.05)
    assert rhythm[3] > 0.5
    # 8 dB in half of the bands are 4 dB about the mean.
    assert apart_db[[0, 2]] == pytest.approx(0.0, abs=1e-4) and apart_db[4] == pytest.approx(4.0, abs=0.05)


def test_tones_are_those_next_to_the_cut() -> None:
    side, far = struck(0.5), struck(0.5)
    far[REACH_FRAMES:] += 20.0 * np.sin(np.arange(SPECTRUM_BINS))
    known = textures(np.stack([np.stack([side, side]), np.stack([far, far[::-1]])]))
    assert known.distances(0, np.array([1]))[0, 1] == pytest.approx(0.0, abs=1e-4)
    assert known.ends.shape == (2, TEXTURE_VALUES)


def test_what_has_no_rhythm_is_near_its_like_alone() -> None:
    silent = np.full((SPECTRUM_FRAMES, SPECTRUM_BINS), -120.0, dtype=np.float32)
    noise = np.random.default_rng(0).normal(-40.0, 5.0, silent.shape).astype(np.float32)
    drums = struck(0.5)
    found = of_sides(silent, noise, drums).distances(0)
    assert found[:, 0].tolist() == [0.0, 0.0, 1.0] and np.isfinite(found).all()
    assert of_sides(drums, noise, silent).distances(0)[1:, 0].tolist() == [1.0, 1.0]


def test_what_a_short_chunk_lacks_is_no_part_of_its_sound() -> None:
    whole, floor = struck(0.5), -100.0
    head, tail = whole.copy(), whole.copy()
    head[90:], tail[:-90] = floor, floor
    known = textures(np.stack([np.stack([whole, whole]), np.stack([head, tail])]))
    assert np.array([known.distances(0), known.distances(1)])[:, :, 0] == pytest.approx(0.0, abs=0.1)
    brief = whole.copy()
    brief[20:] = floor
    assert textures(np.stack([np.stack([whole, whole]), np.stack([brief, whole])])).distances(0)[1, 1] < 0.5


def test_rows_that_are_not_there_are_refused() -> None:
    with pytest.raises(IndexError, match="of 1 chunks"):
        of_sides(struck(0.5)).distances(0, np.array([1]))


def test_some_are_those_of_all() -> None:
    rng = np.random.default_rng(0)
    known = textures(rng.normal(-40.0, 8.0, (6, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)).astype(np.float16))
    chosen = np.array([5, 1])
    np.testing.assert_allclose(known.distances(3, chosen), known.distances(3)[chosen], rtol=1e-6)
    np.testing.assert_array_equal(known.take(chosen).ends, known.ends[chosen])
