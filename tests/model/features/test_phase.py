"""Channels that are out of phase are analysed by what sounds, and all others as they always were."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.features.phase import in_phase, middle, out_of_phase, phase_energies, turned
from model.features.spectra import chunk_spectra
from stream.joins.surroundings import analyse
from tests.support.odd_songs import RATE_HZ, band, beats
from tools.songs.measure import measure_traits
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.voice.singing import find_voice


def sides(level: float) -> FloatArray:
    """Middle and side that have nothing to do with each other, the side so much louder."""
    middle, side = np.random.default_rng(0).normal(0, 0.1, (2, 44_100)).astype(np.float32)
    return np.stack([middle + level * side, middle - level * side], axis=1)


@pytest.mark.parametrize("level_db", [-40.0, 0.0, 6.0, 9.0])
def test_a_wide_mix_stays_as_it_is(level_db: float) -> None:
    audio = sides(10 ** (level_db / 20))
    assert in_phase(audio) is audio


@pytest.mark.parametrize("level_db", [11.0, 20.0, 80.0])
def test_where_the_side_is_what_sounds_it_is_the_middle(level_db: float) -> None:
    audio = sides(10 ** (level_db / 20))
    turned = in_phase(audio)
    assert np.array_equal(turned[:, 0], audio[:, 0]) and np.array_equal(turned[:, 1], -audio[:, 1])


@pytest.mark.parametrize("frames", [0, 1, 7, 1_003])
def test_the_middle_is_the_mean_of_both_channels(frames: int) -> None:
    audio = np.random.default_rng(frames).normal(0, 0.1, (frames, 2)).astype(np.float32)
    assert np.array_equal(middle(audio), audio.mean(axis=1))
    assert np.array_equal(middle(audio, side=True), turned(audio).mean(axis=1))
    assert np.array_equal(middle(audio[::-1]), audio[::-1].mean(axis=1))
    squares = [float(np.square(middle(audio, side=side), dtype=np.float64).sum()) for side in (False, True)]
    np.testing.assert_allclose(phase_energies([audio[:3], audio[3:]]), squares, rtol=1e-5)
    loud = audio + np.array([1, -1], dtype=np.float32)
    assert out_of_phase([loud]) == (frames > 0) == out_of_phase([loud[:5], loud[5:]])


def test_what_is_the_same_in_both_channels_has_no_side() -> None:
    mono = np.random.default_rng(0).normal(0, 0.1, 44_100).astype(np.float32)
    middles, sides = phase_energies([np.stack([mono, mono], axis=1)])
    assert 0.0 <= sides < 1e-12 * middles
    assert out_of_phase([np.stack([mono, -mono], axis=1)])


def test_silence_has_no_phase() -> None:
    audio = np.zeros((1_000, 2), dtype=np.float32)
    assert in_phase(audio) is audio
    assert not out_of_phase([]) and not out_of_phase([audio, audio])


@pytest.mark.parametrize("part", [1.0, 0.9])
def test_a_song_out_of_phase_has_the_rhythm_the_traits_and_the_spectra_of_itself(part: float) -> None:
    """part: how loud the channel is that is turned over."""
    left = band(beats((120.0, 24.0)), 4)[:, :1]
    right = np.concatenate([left, part * left], axis=1)
    wrong = np.concatenate([left, -part * left], axis=1)
    bounds = np.arange(0, len(left), 4 * RATE_HZ)
    good, bad = find_rhythm(right, RATE_HZ), find_rhythm(wrong, RATE_HZ)
    assert good.clear
    np.testing.assert_allclose(bad.beats.times_s, good.beats.times_s, atol=1e-6)
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        for ours, theirs in zip(
            chunk_spectra(wrong[start:stop], RATE_HZ), chunk_spectra(right[start:stop], RATE_HZ), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-3)
    ours, theirs = (
        measure_traits(audio, RATE_HZ, bounds, rhythm, find_voice(audio, RATE_HZ))
        for audio, rhythm in ((wrong, bad), (right, good))
    )
    for name in ("tempo_bpm", "start_beat_s", "key", "start_chroma", "voice_across", "start_lufs"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-4, atol=1e-4)
    there = slice(5 * RATE_HZ, 5 * RATE_HZ + 65_536)
    heard, expected = analyse(wrong[there], RATE_HZ), analyse(right[there], RATE_HZ)
    np.testing.assert_allclose(heard.bands_db, expected.bands_db, atol=1e-3)
    np.testing.assert_array_equal(heard.audio, wrong[there])
