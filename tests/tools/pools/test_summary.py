"""The summary tells of each song's music what `pool info` shows."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.doors import partners
from stream.doors.settings import DoorSettings
from tests.support.music import quick_settings
from tests.support.rhythms import RATE_HZ, song_of_beats
from tools.commands.pool_words import journey_told
from tools.pools import summary
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


def test_of_a_large_pool_it_tells_of_how_many_songs_the_partners_were_counted(
    tiny_pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (partners, summary):
        monkeypatch.setattr(module, "MOST_PARTNER_SONGS", 1)
    found = summarise(tiny_pool)
    assert found["journey"]["songs_looked_at"] == 1 < len(found["songs"])
    found["journey"] |= {"songs_with_a_beat": 1, "tempo_partners_median": 0.0}
    assert "0 of 1 songs with a sure beat (of 1 that were looked at) have" in journey_told(
        found["journey"], songs=len(found["songs"])
    )


def test_files_that_generations_share_take_room_once(tiny_pool: Path, tmp_path: Path) -> None:
    own_pool = Path(shutil.copytree(tiny_pool, tmp_path / "pool"))
    before = summarise(own_pool)["bytes"]
    shared = own_pool / "generations" / "shared.bin"
    shared.parent.mkdir(exist_ok=True)
    shared.write_bytes(bytes(5_000))
    (shared.parent / "linked.bin").hardlink_to(shared)
    assert summarise(own_pool)["bytes"] == before + 5_000


def test_partners_are_those_that_songs_are_stretched_to(tiny_pool: Path) -> None:
    found = summarise(tiny_pool)["journey"]
    assert found["stretch"] == DoorSettings().stretch
    assert "within 8 % of their tempo, as far as songs are played faster or slower" in journey_told(
        found | {"songs_with_a_beat": 1, "tempo_partners_median": 0.0}, songs=5
    )
