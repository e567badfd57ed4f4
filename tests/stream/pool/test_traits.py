"""Traits of chunks are the arrays that were declared, and unknown ones say so."""

from dataclasses import fields

import numpy as np
import pytest

from model.base.arrays import IntArray
from model.base.errors import PoolError
from stream.pool.traits import TRAIT_COLUMNS, ChunkTraits
from tests.support.rhythms import RATE_HZ, song_of_beats
from tools.songs.loudness import integrated_lufs
from tools.songs.measure import measure_traits
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.voice.singing import VoiceCurve

NO_VOICE = VoiceCurve(likely=np.zeros(0, dtype=np.float32))


def test_every_trait_is_declared_once() -> None:
    assert [field.name for field in fields(ChunkTraits) if field.init] == list(TRAIT_COLUMNS)


def test_unknown_traits_claim_nothing() -> None:
    traits = ChunkTraits.unknown(3)
    assert len(traits) == 3
    assert traits.tempo_bpm.tolist() == traits.beat_confidence.tolist() == [0, 0, 0]
    assert traits.key.tolist() == [-1, -1, -1]
    assert traits.start_chroma.shape == (3, 12)
    assert not traits.start_chroma.any()
    for name in ("start_beat_s", "end_beat_s", "start_bar_beat", "end_bar_beat", "start_onset_s"):
        assert np.isnan(getattr(traits, name)).all(), name


def test_some_rows_can_be_taken() -> None:
    traits = ChunkTraits.unknown(4)
    traits.tempo_bpm[:] = [1, 2, 3, 4]
    traits.end_chroma[:, 0] = [1, 2, 3, 4]
    taken = traits.take(np.array([3, 1]))
    assert taken.tempo_bpm.tolist() == [4, 2]
    assert taken.end_chroma[:, 0].tolist() == [4, 2]


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(3, dtype=np.float32), np.zeros(2, dtype=np.float64), np.zeros((2, 1), dtype=np.float32)],
)
def test_an_array_of_another_shape_or_type_is_refused(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    values = {name: getattr(ChunkTraits.unknown(2), name) for name in TRAIT_COLUMNS}
    with pytest.raises(PoolError, match="trait end_lufs is"):
        ChunkTraits(**{**values, "end_lufs": wrong})


# Measuring them

BEATS_S = np.arange(0.3, 40.0, 0.5)


@pytest.fixture(scope="module")
def measured() -> tuple[IntArray, ChunkTraits]:
    """Traits of 1.75 s chunks of a song in 4/4 at 120 bpm, the second half 12 dB softer."""
    audio = song_of_beats(BEATS_S.tolist(), 40.0, beats_per_bar=4)
    audio[len(audio) // 2 :] *= 10 ** (-12 / 20)
    bounds = np.arange(round(1.0 * RATE_HZ), len(audio), round(1.75 * RATE_HZ), dtype=np.int64)
    return bounds, measure_traits(audio, RATE_HZ, bounds, find_rhythm(audio, RATE_HZ), NO_VOICE)


def test_beats_near_the_ends_are_counted_in_seconds(measured: tuple[IntArray, ChunkTraits]) -> None:
    bounds, traits = measured
    starts_s, ends_s = bounds[:-1] / RATE_HZ, bounds[1:] / RATE_HZ
    assert traits.tempo_bpm == pytest.approx(np.full(len(traits), 120), rel=0.005)
    until_s, since_s = (0.3 - starts_s) % 0.5, (ends_s - 0.3) % 0.5
    for found_s, true_s in ((traits.start_beat_s, until_s), (traits.end_beat_s, since_s)):
        # Right before a beat and right after it are next to each other.
        apart_s = np.abs(found_s - true_s)
        assert np.percentile(np.minimum(apart_s, 0.5 - apart_s), 90) < 0.005


def test_places_in_the_bar(measured: tuple[IntArray, ChunkTraits]) -> None:
    bounds, traits = measured
    assert traits.beats_per_bar.tolist() == [4] * len(traits)
    for found, instants in ((traits.start_bar_beat, bounds[:-1]), (traits.end_bar_beat, bounds[1:])):
        true = (instants / RATE_HZ - 0.3) / 0.5 % 4
        apart = np.abs(found - true)
        assert np.percentile(np.minimum(apart, 4 - apart), 90) < 0.02
    assert np.allclose(traits.end_bar_beat[:-1], traits.start_bar_beat[1:])


def test_loudness_of_the_ends(measured: tuple[IntArray, ChunkTraits]) -> None:
    _, traits = measured
    half = len(traits) // 2
    fall = np.median(traits.end_lufs[: half - 1]) - np.median(traits.end_lufs[half + 1 :])
    assert fall == pytest.approx(12, abs=1.5)
    block = song_of_beats(BEATS_S.tolist(), 40.0, beats_per_bar=4)
    at = round(10.1 * RATE_HZ)
    whole = measure_traits(block, RATE_HZ, np.array([at, len(block)]), find_rhythm(block, RATE_HZ), NO_VOICE)
    expected = integrated_lufs(block[at : at + round(0.4 * RATE_HZ)], RATE_HZ)
    assert whole.start_lufs[0] == pytest.approx(expected, abs=0.7)


def test_a_chord_has_its_key() -> None:
    times_s = np.arange(RATE_HZ * 10) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * times_s) for hz in (261.63, 329.63, 392.0, 523.25, 130.81))
    audio = np.stack([chord, chord], axis=1).astype(np.float32) * np.float32(0.1)
    traits = measure_traits(audio, RATE_HZ, np.array([0, len(audio)]), find_rhythm(audio, RATE_HZ), NO_VOICE)
    assert traits.key.tolist() == [0]
    assert set(np.argsort(traits.start_chroma[0])[-3:].tolist()) == {0, 4, 7}
    assert np.linalg.norm(traits.end_chroma[0]) == pytest.approx(1, abs=1e-4)
    assert traits.tempo_bpm.tolist() == [0]


def test_a_voice_across_an_end_is_what_the_song_has_there() -> None:
    audio = song_of_beats(BEATS_S.tolist(), 40.0, beats_per_bar=4)
    voice = VoiceCurve(likely=(np.arange(400) >= 205).astype(np.float32))
    bounds = np.array([10, 20, 21, 30]) * RATE_HZ
    traits = measure_traits(audio, RATE_HZ, bounds, find_rhythm(audio, RATE_HZ), voice)
    assert traits.voice_across.tolist() == [0, 1, 1]
