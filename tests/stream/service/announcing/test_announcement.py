"""A recording of any format is brought to the loudness of the stream, or refused in one sentence."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imsave

from model.base.errors import EndlosError
from stream.service.announcing import announcement as module
from stream.service.announcing.announcement import read_announcement
from stream.service.announcing.weighting import spoken_lufs
from tests.support.pools import noise_song
from tools.songs.loudness import integrated_lufs

RATE_HZ = 44_100


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("shape", ["noise", "bass", "with pauses", "short"])
def test_it_hears_as_the_analysis_does(rate_hz: int, shape: str) -> None:
    audio = noise_song(0.2 if shape == "short" else 8.0, 1, rate_hz)
    if shape == "bass":
        audio = 5 * np.cumsum(audio - audio.mean(axis=0), axis=0) / rate_hz
    if shape == "with pauses":
        audio[len(audio) // 3 : 2 * len(audio) // 3] = 0.0
    assert abs(spoken_lufs(audio, rate_hz) - integrated_lufs(audio, rate_hz)) < 0.1


@pytest.mark.parametrize("name", ["said.wav", "said.mp3", "said.flac", "said.ogg"])
def test_it_is_as_loud_as_the_stream_at_its_rate(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, noise_song(3.0, 2, 48_000)[:, 0] / 4, 48_000)
    said = read_announcement(tmp_path / name, RATE_HZ, -16.0)
    assert said.name == name and said.audio.dtype == np.float32
    assert abs(len(said.audio) - 3 * RATE_HZ) < 0.1 * RATE_HZ
    assert abs(integrated_lufs(said.audio, RATE_HZ) + 16.0) < 0.3
    assert np.abs(said.audio[[0, -1]]).max() < 0.01


def test_its_peaks_stay_below_the_streams(tmp_path: Path) -> None:
    clicks = np.zeros((2 * RATE_HZ, 2), dtype=np.float32)
    clicks[RATE_HZ // 2 :: RATE_HZ // 2] = 0.5
    soundfile.write(tmp_path / "clicks.wav", clicks, RATE_HZ)
    said = read_announcement(tmp_path / "clicks.wav", RATE_HZ, -16.0)
    assert np.abs(said.audio).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_what_cannot_be_said_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.mp3").write_text("no music")
    soundfile.write(tmp_path / "silent.wav", np.zeros((RATE_HZ, 2)), RATE_HZ)
    soundfile.write(tmp_path / "long.wav", np.full((121 * 8000, 1), 0.1), 8000)
    soundfile.write(tmp_path / "sample.wav", np.full((1, 1), 0.1), 8000)
    soundfile.write(tmp_path / "fine.wav", np.full((8000, 1), 0.1), 8000)
    imsave(tmp_path / "page.png", np.zeros((8, 8)))
    monkeypatch.setattr(module, "MOST_ANNOUNCEMENT_BYTES", 5_000_000)
    soundfile.write(tmp_path / "large.wav", np.full((30 * RATE_HZ, 2), 0.1), RATE_HZ)
    for name, words in {
        "nothing.wav": "cannot be read: No such file",
        "text.mp3": "is not audio that can be decoded",
        "page.png": "holds no audio; leave it out, or take a file with sound in it",
        "silent.wav": "is silent",
        "sample.wav": "is shorter than 0.2 s",
        "long.wav": "is longer than 2 minutes",
        "large.wav": "has 5 MB, expected 5 at most",
    }.items():
        with pytest.raises(EndlosError, match=re.escape(words)) as told:
            read_announcement(tmp_path / name, RATE_HZ, -16.0)
        assert "\n" not in str(told.value) and name in str(told.value)
    read_announcement(tmp_path / "fine.wav", RATE_HZ, None)
