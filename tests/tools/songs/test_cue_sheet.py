"""The cue sheet that is written is what readers of cue sheets read."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stream.pool.songs import Track
from tests.support.real import require_real
from tools.songs.cue import parse_cue, tracks_of
from tools.songs.cue_sheet import MOST_TRACKS, cue_sheet

RATE_HZ = 44_100
TRACKS = [
    Track(start_sample=0, title="One", artist="Ä & Co"),
    Track(start_sample=round(61.4 * RATE_HZ), title='The "second"\nof two', artist=""),
    Track(start_sample=round(6000.01 * RATE_HZ), title="Straße nach 東京", artist='Q. "Quote" R'),
]


def test_our_reader_reads_it() -> None:
    found = parse_cue(cue_sheet("my “song”.mp3", "All", TRACKS, RATE_HZ))
    assert [track.file for track in found] == ["my “song”.mp3"] * 3
    assert [track.title for track in found] == ["One", "The 'second' of two", "Straße nach 東京"]
    assert [track.artist for track in found] == ["Ä & Co", "", "Q. 'Quote' R"]
    for track, written in zip(found, TRACKS, strict=True):
        assert track.start_s == pytest.approx(written.start_sample / RATE_HZ, abs=0.5 / 75 + 1e-9)


def test_beside_its_file_it_names_the_tracks(tmp_path: Path) -> None:
    (tmp_path / "out.cue").write_text(cue_sheet("out.mp3", "out", TRACKS[:2], RATE_HZ), encoding="utf-8")
    one, two = tracks_of(tmp_path / "out.mp3", RATE_HZ)
    assert (one.start_sample, one.title, one.artist) == (0, "One", "Ä & Co")
    assert (two.start_sample, two.title) == (round(61.4 * RATE_HZ), "The 'second' of two")


@pytest.mark.parametrize(
    ("name", "kind"), [("a.mp3", "MP3"), ("a.MP3", "MP3"), ("a.flac", "WAVE"), ("a.wav", "WAVE")]
)
def test_it_says_what_the_file_is(name: str, kind: str) -> None:
    assert f'FILE "{name}" {kind}\n' in cue_sheet(name, "", TRACKS, RATE_HZ)


def test_another_program_reads_it(tmp_path: Path) -> None:
    program = shutil.which("cueprint")
    require_real("cueprint reads cue sheets: install cuetools", program is not None)
    path = tmp_path / "out.cue"
    path.write_text(cue_sheet("out.mp3", "All “of” it", TRACKS, RATE_HZ), encoding="utf-8")

    def told(*words: str) -> str:
        assert program is not None
        return subprocess.run([program, *words, path], capture_output=True, text=True, check=True).stdout

    assert told("-d", "%N %T", "-t", "") == "3 All “of” it"
    assert told("-d", "", "-t", "%n|%p|%t\n").splitlines() == [
        "1|Ä & Co|One",
        "2||The 'second' of two",
        "3|Q. 'Quote' R|Straße nach 東京",
    ]
    breaks = shutil.which("cuebreakpoints")
    assert breaks is not None
    lines = subprocess.run([breaks, path], capture_output=True, text=True, check=True).stdout.split()
    # Minutes, seconds, and, whatever it looks like, 75ths.
    assert lines == ["1:01.30", "100:00.01"]


def test_of_more_tracks_than_a_sheet_has_the_last_tells() -> None:
    tracks = [Track(start_sample=number * RATE_HZ, title=f"t{number}", artist="x") for number in range(150)]
    found = parse_cue(cue_sheet("a.mp3", "", tracks, RATE_HZ))
    assert len(found) == MOST_TRACKS
    assert [track.title for track in found[:98]] == [track.title for track in tracks[:98]]
    assert (found[98].title, found[98].artist, found[98].start_s) == ("52 more", "", 98.0)
    assert len(parse_cue(cue_sheet("a.mp3", "", tracks[:99], RATE_HZ))) == 99
