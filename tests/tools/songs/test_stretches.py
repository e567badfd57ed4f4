"""Silences that belong to no song are found, and the music around them is kept."""

from functools import cache

import numpy as np
import pytest

from model.base.arrays import FloatArray
from tools.songs.stretches import LONGEST_SILENCE_S, sounding_stretches

RATE_HZ = 22_050


def music(seconds: float, level_db: float = -15.0, seed: int = 0) -> FloatArray:
    """A chord that changes twice a second, with a beat."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    roots_hz = random.uniform(150, 400, int(2 * seconds) + 1)[(2 * t).astype(int)]
    phase = 2 * np.pi * np.cumsum(roots_hz) / RATE_HZ
    audio = (np.sin(phase) + np.sin(1.5 * phase)) * (0.3 + np.exp(-6 * (t % 0.5)))
    audio *= 10 ** (level_db / 20) / np.sqrt(np.mean(np.square(audio)))
    return np.repeat(audio.astype(np.float32)[:, None], 2, axis=1)


def hiss(seconds: float, level_db: float, seed: int = 1) -> FloatArray:
    """The noise of a tape: falling by 3 dB an octave, other noise in either channel."""
    frames = round(seconds * RATE_HZ)
    noise = np.random.default_rng(seed).standard_normal((frames, 2))
    spectrum = np.fft.rfft(noise, axis=0)
    spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))[:, None]
    shaped = np.fft.irfft(spectrum, frames, axis=0)
    return (shaped * 10 ** (level_db / 20) / np.sqrt(np.mean(np.square(shaped)))).astype(np.float32)


def vinyl(seconds: float, level_db: float) -> FloatArray:
    """Hiss, rumble at 33 revolutions a minute, and clicks that are as loud as music."""
    audio = hiss(seconds, level_db)
    t = np.arange(len(audio)) / RATE_HZ
    audio += (3 * 10 ** (level_db / 20) * np.sin(2 * np.pi * 25 * t) * np.sin(2 * np.pi * 0.555 * t))[:, None]
    random = np.random.default_rng(2)
    for at in random.integers(0, len(audio) - 20, int(3 * seconds)).tolist():
        audio[at : at + 12] += random.normal(0, 0.2, (12, 2)).astype(np.float32)
    return audio


def silence(seconds: float) -> FloatArray:
    return np.zeros((round(seconds * RATE_HZ), 2), dtype=np.float32)


def found_s(*parts: FloatArray, floor: FloatArray | None = None) -> list[tuple[float, float]]:
    audio = np.concatenate(parts)
    if floor is not None:
        audio = audio + floor[: len(audio)]
    stretches = sounding_stretches(audio, RATE_HZ)
    return [(stretch.start / RATE_HZ, stretch.stop / RATE_HZ) for stretch in stretches]


def near(expected: list[tuple[float, float]]) -> list[object]:
    return [pytest.approx(times_s, abs=0.25) for times_s in expected]


SILENCES = {
    "digital": lambda: silence(260.0),
    "tape": lambda: hiss(260.0, -50.0),
    "vinyl": lambda: vinyl(260.0, -52.0),
    "dither": lambda: hiss(260.0, -93.0),
}


@cache
def silent(kind: str) -> FloatArray:
    """A silence of each kind, made when a test asks for it and not whenever tests are collected."""
    return SILENCES[kind]()


@pytest.mark.parametrize("kind", SILENCES)
@pytest.mark.parametrize("gap_s", [2.5, 10.0, 180.0])
def test_a_long_silence_is_in_no_stretch(kind: str, gap_s: float) -> None:
    floor = silent(kind)
    found = found_s(music(40.0), silence(gap_s), music(20.0, seed=1), floor=floor)
    assert found == near([(0.0, 40.0), (40.0 + gap_s, 60.0 + gap_s)])


@pytest.mark.parametrize("kind", SILENCES)
@pytest.mark.parametrize("gap_s", [0.5, 1.8])
def test_a_pause_belongs_to_the_music(kind: str, gap_s: float) -> None:
    assert gap_s < LONGEST_SILENCE_S
    assert len(found_s(music(20.0), silence(gap_s), music(20.0), floor=silent(kind))) == 1


@pytest.mark.parametrize("kind", SILENCES)
def test_a_minute_before_the_song_is_in_no_stretch(kind: str) -> None:
    assert found_s(silence(60.0), music(40.0), floor=silent(kind)) == near([(60.0, 100.0)])
    assert found_s(music(40.0), silence(60.0), floor=silent(kind)) == near([(0.0, 40.0)])


def test_different_silences_in_one_song() -> None:
    """A digital one beside one of tape: each has a floor of its own."""
    found = found_s(music(30.0), silence(20.0), music(20.0), hiss(20.0, -48.0), music(20.0))
    assert found == near([(0.0, 30.0), (50.0, 70.0), (90.0, 110.0)])


def test_the_silence_that_most_songs_end_with_changes_nothing() -> None:
    audio = np.concatenate([silence(3.0), music(60.0), silence(8.0)])
    (stretch,) = sounding_stretches(audio, RATE_HZ)
    assert (stretch.start, stretch.stop) == (0, len(audio))


@pytest.mark.parametrize("below_db", [20.0, 30.0, 40.0])
@pytest.mark.parametrize("kind", ["digital", "tape"])
def test_soft_music_is_no_silence(below_db: float, kind: str) -> None:
    floor = silent("digital") if kind == "digital" else hiss(260.0, -75.0)
    assert len(found_s(music(30.0), music(20.0, -15.0 - below_db, seed=3), music(10.0), floor=floor)) == 1


def test_a_fade_out_is_kept_until_it_is_nothing() -> None:
    fade = music(20.0) * np.logspace(0, -3, round(20 * RATE_HZ), dtype=np.float32)[:, None]
    (first, last) = found_s(music(20.0), fade, silence(30.0), music(20.0))
    assert first[1] == pytest.approx(40.0, abs=2.0) and last[0] == pytest.approx(70.0, abs=0.2)


@pytest.mark.parametrize(
    "audio", [silence(30.0), silence(0.0), music(0.05), hiss(30.0, -70.0), hiss(30.0, -20.0)]
)
def test_what_has_no_silence_of_its_own_is_whole(audio: FloatArray) -> None:
    (stretch,) = sounding_stretches(audio, RATE_HZ)
    assert (stretch.start, stretch.stop) == (0, len(audio))
