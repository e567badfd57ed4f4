"""Seams drawn from a song's grid equal the spectra of chunks, and are varied as asked for."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.features.spectra import (
    BROAD,
    HOP_SAMPLES,
    MEL,
    QUARTERS,
    SEMITONES,
    SPECTRUM_BINS,
    SPECTRUM_FLOOR_DB,
    SPECTRUM_FRAMES,
    SPECTRUM_RATE_HZ,
    bin_hz,
    chunk_spectra,
)
from model.learning.drawn_seams import Variation, draw_seams
from model.learning.song_set import GRID_BANDS, GRID_S, GridArray, song_grid
from model.learning.song_sides import equal_chunks, sides

ROW = HOP_SAMPLES // QUARTERS
TONES = slice(MEL.bands, MEL.bands + SEMITONES)
STILL = Variation(gap_s=0, gain_db=0, tone_db=0, semitones=0, speed_octaves=0)


def noise(seconds: float, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    samples = int(seconds * SPECTRUM_RATE_HZ)
    level = np.repeat(rng.uniform(0.05, 0.6, samples // 2_000 + 1), 2_000)[:samples]
    mono = rng.uniform(-1, 1, samples) * level
    return np.stack([mono, mono], axis=1).astype(np.float32)


def tone(pitch_hz: float, seconds: float) -> FloatArray:
    mono = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * SPECTRUM_RATE_HZ)) / SPECTRUM_RATE_HZ)
    return np.stack([mono, mono], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def grids() -> list[GridArray]:
    return [song_grid(noise(30, seed), SPECTRUM_RATE_HZ) for seed in range(3)]


@pytest.mark.parametrize("rows", [(200, 740), (333, 620)])
def test_sides_are_the_spectra_of_the_chunk(rows: tuple[int, int]) -> None:
    audio = noise(8)
    start, end = rows
    grid = song_grid(audio, SPECTRUM_RATE_HZ)
    assert grid.shape == (len(audio) // ROW, GRID_BANDS)
    length = np.array([end - start])
    head = sides(grid, np.array([start]), length, tail=False)[0]
    tail = sides(grid, np.array([end]), length, tail=True)[0]
    for side, expected in zip(
        (head, tail), chunk_spectra(audio[start * ROW : end * ROW], SPECTRUM_RATE_HZ), strict=True
    ):
        # The quarter rate is resampled from the whole song here, from the chunk there.
        difference = np.abs(side - expected)
        assert np.median(difference) < 0.05
        assert np.quantile(difference, 0.98) < 1.0
        np.testing.assert_array_equal(side == SPECTRUM_FLOOR_DB, expected == SPECTRUM_FLOOR_DB)


def test_a_song_moved_in_pitch_is_the_song_at_that_pitch() -> None:
    moved = sides(
        song_grid(tone(440.0, 4), SPECTRUM_RATE_HZ),
        np.array([50]),
        np.array([600]),
        tail=False,
        semitones=3,
    )[0]
    pitch_hz = bin_hz()[TONES][moved[:, TONES].argmax(axis=1)]
    np.testing.assert_allclose(pitch_hz, 440 * 2 ** (3 / 12), rtol=1e-3)


def test_a_faster_song_shows_a_click_sooner() -> None:
    audio = np.zeros((5 * SPECTRUM_RATE_HZ, 2), np.float32)
    audio[200 * ROW : 200 * ROW + 20] = 1.0
    grid = song_grid(audio, SPECTRUM_RATE_HZ)

    def click_frame(speed: float) -> int:
        head = sides(grid, np.array([0]), np.array([800]), tail=False, speed=speed)[0]
        return int(head[:, -BROAD.bands * QUARTERS :].max(axis=1).argmax())

    assert click_frame(1.0) == pytest.approx(200 / QUARTERS, abs=1)
    assert click_frame(2.0) == pytest.approx(200 / QUARTERS / 2, abs=1)


def test_cuts_outside_the_song_are_refused(grids: list[GridArray]) -> None:
    with pytest.raises(ValueError, match="of a grid of"):
        sides(grids[0], np.array([len(grids[0]) + 1]), np.array([10]), tail=True)


def test_seams_that_are_not_varied_are_those_of_equal_chunks(grids: list[GridArray]) -> None:
    seams = draw_seams(grids[:1], np.random.default_rng(0), STILL, songs=1, seams_per_song=50)
    assert seams.tails.shape == seams.heads.shape == (len(seams.song), SPECTRUM_FRAMES, SPECTRUM_BINS)
    # Level and tone of the song as a whole are always drawn; they are the same on all sides.
    again = draw_seams(grids[:1], np.random.default_rng(0), STILL, songs=1, seams_per_song=50)
    np.testing.assert_array_equal(seams.heads, again.heads)


def test_seams_come_of_as_many_songs_as_asked_for(grids: list[GridArray]) -> None:
    seams = draw_seams(grids, np.random.default_rng(1), Variation(), songs=2, seams_per_song=4)
    assert sorted(np.bincount(seams.song)) == [4, 4]
    assert min(seams.heads.min(), seams.tails.min()) >= SPECTRUM_FLOOR_DB
    assert np.isfinite(seams.tails).all()


def test_songs_too_short_to_cut_are_said_so() -> None:
    with pytest.raises(ModelError, match="nothing to learn from"):
        draw_seams(
            [song_grid(noise(2), SPECTRUM_RATE_HZ)],
            np.random.default_rng(0),
            STILL,
            songs=1,
            seams_per_song=4,
        )


def test_equal_chunks_leave_the_gap_out_on_both_sides() -> None:
    starts, ends, lengths = equal_chunks(round(10 / GRID_S), 3.0, 0.05)
    assert len(starts) == 3
    np.testing.assert_allclose((ends - starts) * GRID_S, 2.9, atol=0.01)
    np.testing.assert_array_equal(lengths, ends - starts)
    np.testing.assert_allclose((starts[1:] - ends[:-1]) * GRID_S, 0.1, atol=0.01)
