"""A voice is heard where one sings, block by block, by the network that was judged."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.pool.timeline import VOICE_STEP_S
from tests.support.rhythms import RATE_HZ, song_of_beats
from tests.support.sung import SUNG_RATE_HZ, sung
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.timeline import song_timeline
from tools.songs.voice import singing
from tools.songs.voice.singing import VoiceCurve, find_voice

NETWORK_SHA256 = "a020a48a8a53dd225f62502d8b60b1ab4f42aab4d3f55492faa560bae72ac5c4"


def _chord(seconds: float) -> FloatArray:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = 0.1 * sum(np.sin(2 * np.pi * pitch_hz * times_s) for pitch_hz in (131, 262, 330, 392))
    return np.stack([tone, tone], axis=1).astype(np.float32)


def test_a_voice_is_told_from_a_chord_from_drums_and_from_silence() -> None:
    voice = find_voice(sung(6.0), SUNG_RATE_HZ).likely
    assert np.median(voice) > 0.8
    others = (
        _chord(6.0),
        song_of_beats(np.arange(0.3, 6.0, 0.5).tolist(), 6.0, beats_per_bar=4),
        _chord(6.0) * 0,
    )
    for other in others:
        assert find_voice(other, RATE_HZ).likely.max() < 0.3


def test_it_says_when_it_begins_and_ends() -> None:
    song = 0.3 * song_of_beats(np.arange(0.3, 12.0, 0.5).tolist(), 12.0, beats_per_bar=4)
    song[4 * RATE_HZ : 8 * RATE_HZ] += sung(4.0)
    voice = find_voice(song, RATE_HZ)
    assert len(voice.likely) == round(12.0 / VOICE_STEP_S)
    assert np.median(voice.likely[42:78]) > 0.7
    assert max(np.median(voice.likely[:36]), np.median(voice.likely[84:])) < 0.3
    timeline = song_timeline(song, RATE_HZ, [(0, find_rhythm(song, RATE_HZ))], voice)
    np.testing.assert_array_equal(timeline.voice, voice.likely)


def test_a_soft_song_is_heard_as_a_loud_one() -> None:
    song = sung(4.0) + 0.3 * song_of_beats(np.arange(0.3, 4.0, 0.5).tolist(), 4.0, beats_per_bar=4)
    soft = find_voice(0.003 * song, RATE_HZ).likely
    np.testing.assert_allclose(soft, find_voice(song, RATE_HZ).likely, atol=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 3, 441])
def test_of_a_few_samples_there_is_a_curve_too(frames: int) -> None:
    voice = find_voice(_chord(1.0)[:frames], 192_000)
    assert len(voice.likely) == 1 and 0.0 <= voice.likely[0] <= 1.0


def test_a_long_song_is_heard_in_blocks_as_it_would_be_at_once() -> None:
    half = sung(10.0, seed=1)
    audio = np.concatenate([_chord(50.0), half, half, _chord(5.0)])
    whole = find_voice(audio, RATE_HZ).likely
    later = find_voice(audio[40 * RATE_HZ :], RATE_HZ).likely
    assert len(whole) == 750
    np.testing.assert_allclose(whole[430:], later[30:], atol=0.02)


@pytest.mark.parametrize(("frames", "steps"), [(0, 0), (1, 1), (2_205, 1), (2_206, 2)])
def test_a_short_song_has_a_value_for_each_step(frames: int, steps: int) -> None:
    voice = find_voice(np.full((frames, 2), 0.01, dtype=np.float32), RATE_HZ)
    assert len(voice.likely) == steps
    assert np.isfinite(voice.likely).all()


def test_a_stretch_has_its_own_time() -> None:
    voice = VoiceCurve(likely=(np.arange(100) >= 50).astype(np.float32))
    assert voice.at(np.array([1.0, 9.0])).tolist() == [0, 1]
    assert voice.since(4.0).at(np.array([0.0, 2.0])).tolist() == [0, 1]
    assert VoiceCurve(likely=np.zeros(0, dtype=np.float32)).at(np.array([1.0])).tolist() == [0]


def test_the_carried_network_is_the_one_that_was_judged_and_has_its_licence() -> None:
    folder = Path(singing.__file__).parent / "net"
    assert hashlib.sha256((folder / "voice.onnx").read_bytes()).hexdigest() == NETWORK_SHA256
    assert "Apache License" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
    assert NETWORK_SHA256 in (folder / "README.md").read_text(encoding="utf-8")
