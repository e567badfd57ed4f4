"""The summary tells of each song's music what `pool info` shows."""

from pathlib import Path

import numpy as np
import soundfile

from tests.support.music import quick_settings
from tests.support.rhythms import RATE_HZ, song_of_beats
from tools.pools.build import build_pool
from tools.pools.summary import summarise
from tools.songs.cut import CutSettings


def test_tempo_bars_and_key_of_each_song(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    times_s = np.arange(RATE_HZ * 10) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * times_s) for hz in (261.63, 329.63, 392.0, 130.81))
    soundfile.write(music / "chord.wav", 0.1 * np.stack([chord, chord], axis=1), RATE_HZ)
    beats_s = np.arange(0.3, 20.0, 0.5).tolist()
    soundfile.write(music / "waltz.wav", song_of_beats(beats_s, 20.0, beats_per_bar=3), RATE_HZ)
    build_pool([music], tmp_path / "pool", quick_settings(cut=CutSettings(cut="beat")))
    chord_row, waltz_row = summarise(tmp_path / "pool")["songs"]
    assert (chord_row["key"], chord_row["tempo_bpm"], chord_row["beats_per_bar"]) == ("C major", None, None)
    assert "no clear beat" in chord_row["cut"]
    assert round(waltz_row["tempo_bpm"]) == 120
    assert waltz_row["beats_per_bar"] == 3
    assert waltz_row["cut"].startswith("on the beat; 120.0 bpm")
