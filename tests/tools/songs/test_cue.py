"""A cue sheet gives an album in one file the names of its tracks, and borders that no chunk crosses."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC

from stream.choosing.generation import Chunk
from stream.pool.pool import open_pool
from stream.pool.songs import Track
from tests.support.commands import run_here
from tests.support.music import RATE_HZ, tune
from tests.support.pools import make_generation
from tools.songs.cue import CueTrack, cut_at_tracks, parse_cue, tracks_of

SHEET = """REM GENRE Rock
PERFORMER "The Band"
TITLE "The album"
FILE "album.wav" WAVE
  TRACK 01 AUDIO
    TITLE "One"
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE "Two"
    PERFORMER "Guest"
    INDEX 00 00:10:00
    INDEX 01 00:11:37
  TRACK 03 AUDIO
    INDEX 01 00:20:00
"""


def test_a_sheet_is_read() -> None:
    one, two, three = parse_cue(SHEET)
    assert one == CueTrack(file="album.wav", start_s=0.0, title="One", artist="The Band")
    assert (two.start_s, two.artist) == (pytest.approx(11 + 37 / 75), "Guest")
    assert (three.title, three.artist) == ("", "The Band")


def test_a_track_belongs_to_the_file_in_which_it_begins() -> None:
    text = """FILE "a.wav" WAVE
 TRACK 01 AUDIO
  INDEX 01 00:00:00
 TRACK 02 AUDIO
  TITLE Second
  INDEX 00 03:00:00
FILE "b.wav" WAVE
  INDEX 01 00:00:00
"""
    assert [(track.file, track.title) for track in parse_cue(text)] == [("a.wav", ""), ("b.wav", "Second")]


@pytest.mark.parametrize("text", ["", "TRACK", "INDEX 01 xx", "FILE\nTRACK 01\nINDEX 01 9:9", "\0" * 100])
def test_what_is_no_sheet_has_no_tracks(text: str) -> None:
    assert parse_cue(text) == []


@pytest.mark.parametrize("name", ["album.cue", "album.CUE", "album.flac.cue"])
def test_the_sheet_beside_is_found_whatever_the_file_was_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / "album.flac"
    (tmp_path / name).write_text(SHEET, encoding="utf-8")
    tracks = tracks_of(path, 1_000)
    assert [track.start_sample for track in tracks] == [0, 11_493, 20_000]
    assert [track.title for track in tracks][2] == "Track 3"
    assert tracks_of(tmp_path / "other.flac", 1_000) == ()


def test_a_sheet_in_the_tags_is_found(tmp_path: Path) -> None:
    path = tmp_path / "renamed.flac"
    soundfile.write(path, np.zeros((8_000, 2)), RATE_HZ)
    file = FLAC(path)
    file["cuesheet"] = SHEET
    file.save()
    assert len(tracks_of(path, RATE_HZ)) == 3


def test_no_chunk_reaches_over_a_border() -> None:
    tracks = tuple(Track(start_sample=start, title="", artist="") for start in (0, 95, 205, 300, 995, 2_000))
    bounds = np.array([10, 100, 200, 210, 290, 400, 1_000])
    cut = cut_at_tracks(bounds, tracks, 20)
    assert cut.tolist() == [10, 95, 205, 300, 400, 1_000]
    assert cut_at_tracks(np.empty(0, dtype=np.int64), tracks, 20).tolist() == []
    np.testing.assert_array_equal(cut_at_tracks(bounds, (), 20), bounds)


def test_a_stream_names_the_track(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = tmp_path / "music"
    music.mkdir()
    soundfile.write(music / "album.flac", tune(30.0, 1), RATE_HZ)
    sheet = music / "album.cue"
    sheet.write_text(SHEET, encoding="cp1252")
    out = tmp_path / "pool"
    assert run_here("pool", "build", str(music), "--out", str(out), "--quiet", "--jobs", "1") == 0

    def named() -> dict[int, str]:
        generation = make_generation(open_pool(out))
        chunks = [Chunk(generation=generation, row=row) for row in range(len(generation.pool.start_sample))]
        return {chunk.key.start_sample: f"{chunk.song.artist}: {chunk.song.title}" for chunk in chunks}

    titles = named()
    second, third = round((11 + 37 / 75) * RATE_HZ), 20 * RATE_HZ
    assert second in titles
    assert third in titles
    for start, title in titles.items():
        number = (start >= second) + (start >= third)
        assert title == ["The Band: One", "Guest: Two", "The Band: Track 3"][number]
    # A better sheet is taken up without an analysis.
    sheet.write_text(SHEET.replace("One", "Uno"), encoding="utf-8")
    run_here("pool", "build", str(music), "--out", str(out), "--json", "--jobs", "1")
    assert json.loads(capsys.readouterr().out)["analysed"] == 0
    assert "The Band: Uno" in named().values()
