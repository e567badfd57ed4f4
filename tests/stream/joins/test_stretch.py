"""The stretcher follows its course, keeps attacks and pitch, and gives the same for any blocks."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.joins.sound import SongSound
from stream.joins.stretch import Stretcher, check_course
from tests.support.beaten import RATE_HZ, beaten_song, steady_beats


def sound(audio: FloatArray) -> SongSound:
    padded = np.concatenate([audio, np.zeros((4 * RATE_HZ, 2), dtype=np.float32)])
    return SongSound(lambda start, stop: padded[start:stop], 0)


def stretched(audio: FloatArray, played: list[int], heard: list[int], blocks: list[int]) -> FloatArray:
    stretcher = Stretcher(sound(audio), np.array(played), np.array(heard), RATE_HZ)
    return np.concatenate([stretcher.pull(block) for block in blocks])


COURSE = ([0, 2 * RATE_HZ, 8 * RATE_HZ], [0, 2 * RATE_HZ + 2_000, 8 * RATE_HZ + 2_000 + 12_000])


def test_attacks_fall_where_the_course_has_them_and_stay_sharp() -> None:
    beats_s = steady_beats(9.0, 120.0, 0.1)
    audio = beaten_song(9.0, beats_s, 1)
    found = stretched(audio, *COURSE, [8 * RATE_HZ])
    for beat_s in beats_s[:-2]:
        expected = round(float(np.interp(beat_s * RATE_HZ, COURSE[1], COURSE[0])))
        around = np.abs(found[max(0, expected - 1_500) : expected + 1_500]).max(axis=1)
        # The attack rises by itself, as it did: from a soft chord to the blow, within a millisecond.
        begins = int(np.flatnonzero(around > 0.15)[0]) + max(0, expected - 1_500)
        assert abs(begins - expected) <= 0.009 * RATE_HZ
        assert np.abs(found[begins - 300 : begins - 40]).max() < 0.12


def test_it_gives_the_same_for_any_blocks_and_begins_as_the_sound_itself() -> None:
    audio = beaten_song(9.0, steady_beats(9.0, 128.0), 2)
    whole = stretched(audio, *COURSE, [6 * RATE_HZ])
    sizes = [int(size) for size in np.random.default_rng(0).integers(1, 5_000, 200)]
    pieces = stretched(audio, *COURSE, sizes)
    count = min(len(whole), len(pieces))
    np.testing.assert_array_equal(whole[:count], pieces[:count])
    np.testing.assert_array_equal(whole[:4_000], audio[:4_000])


def test_a_tone_keeps_its_pitch_and_level() -> None:
    time_s = np.arange(9 * RATE_HZ) / RATE_HZ
    tone = np.repeat((0.3 * np.sin(2 * np.pi * 440.0 * time_s))[:, None], 2, axis=1).astype(np.float32)
    found = stretched(tone, *COURSE, [6 * RATE_HZ])[:, 0]
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    assert spectrum.argmax() * RATE_HZ / len(found) == pytest.approx(440.0, abs=1.0)
    levels = np.sqrt(np.square(found).reshape(-1, 900).mean(axis=1))
    assert 20 * np.log10(levels.max() / levels.min()) < 0.5


@pytest.mark.parametrize(
    ("played", "heard"),
    [([0], [0]), ([0, 100], [0, 150]), ([0, 0, 9], [0, 0, 9]), ([1, 100], [0, 100]), ([0, 9], [0, 9, 18])],
)
def test_a_course_that_no_sound_can_follow_is_refused(played: list[int], heard: list[int]) -> None:
    with pytest.raises(ValueError, match="course"):
        check_course(np.array(played), np.array(heard))
