"""A playlist is read as its entries, in their order, and those that are missing are named."""

import json
import unicodedata
from pathlib import Path

import pytest

from model.base.errors import PoolError
from tests.support.commands import run_here
from tests.support.music import write_music
from tools.library.playlists import read_playlist
from tools.pools.scan import scan


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _list(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def _found(playlist: Path) -> list[Path | None]:
    return [entry.path for entry in read_playlist(playlist)]


def test_m3u_keeps_its_order(tmp_path: Path) -> None:
    _touch(tmp_path, "b.mp3", "disc 1/a.mp3", "c.mp3")
    text = "#EXTM3U\r\n#EXTINF:12,Artist - Title\r\nc.mp3\r\n\r\ndisc 1/a.mp3\r\nb.mp3\r\nc.mp3\r\n"
    found = scan([_list(tmp_path, "list.m3u", text)])
    assert [file.name for file in found.files] == ["c.mp3", "disc 1/a.mp3", "b.mp3"]
    assert {file.root for file in found.files} == {tmp_path}
    assert found.failures == ()
    assert found.folders == ()


def test_pls_goes_by_its_numbers(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp3", "b = %20;.mp3", "c.mp3")
    text = (
        "[playlist]\nFile10=a.mp3\nTitle10=A\nfile2=b = %20;.mp3\nFILE1=c.mp3\nNumberOfEntries=3\nVersion=2\n"
    )
    expected = [tmp_path / name for name in ("c.mp3", "b = %20;.mp3", "a.mp3")]
    assert _found(_list(tmp_path, "list.pls", text)) == expected


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_a_cue_sheet_names_the_file_as_it_is_now(tmp_path: Path, suffix: str) -> None:
    _touch(tmp_path, f"The album{suffix}", "plain.mp3")
    text = 'PERFORMER "X"\nFILE "The album.wav" WAVE\n  TRACK 01 AUDIO\n    TITLE "A"\nFILE plain.mp3 MP3\n'
    expected = [tmp_path / f"The album{suffix}", tmp_path / "plain.mp3"]
    assert _found(_list(tmp_path, "album.cue", text)) == expected


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Grüße.mp3", "utf-8"),
        ("Grüße.mp3", "utf-8-sig"),
        ("Grüße.mp3", "cp1252"),
        ("Группа крови.mp3", "cp1251"),
        ("東京.mp3", "utf-16"),
    ],
)
def test_names_in_any_letters_are_found(tmp_path: Path, name: str, encoding: str) -> None:
    _touch(tmp_path, name)
    assert _found(_list(tmp_path, "list.m3u", f"{name}\n", encoding)) == [tmp_path / name]


def test_names_from_other_machines_are_found(tmp_path: Path) -> None:
    _touch(tmp_path, "Artist/Album/a b.mp3", unicodedata.normalize("NFD", "é.mp3"))
    there = tmp_path / "Artist" / "Album" / "a b.mp3"
    lines = [
        r"Artist\Album\a b.mp3",
        r"D:\Music\Artist\Album\a b.mp3",
        "/home/other/Music/Artist/Album/a b.mp3",
        "Artist/Album/a%20b.mp3",
        there.as_uri(),
        str(there),
    ]
    assert _found(_list(tmp_path, "list.m3u8", "\n".join(lines))) == [there] * len(lines)
    composed = _list(tmp_path, "other.m3u8", unicodedata.normalize("NFC", "é.mp3"))
    assert _found(composed) == [tmp_path / unicodedata.normalize("NFD", "é.mp3")]


def test_what_is_missing_is_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp3")
    found = scan([_list(tmp_path, "list.m3u", "gone.mp3\na.mp3\nhttp://radio.example/live\n")])
    assert [file.name for file in found.files] == ["a.mp3"]
    assert [(file.name, failure.kind, failure.reason) for file, failure in found.failures] == [
        ("gone.mp3", "failed", "list.m3u names it, but it is not there"),
        (
            "http://radio.example/live",
            "failed",
            "list.m3u names it, but it is an address, not a file; download it",
        ),
    ]


def test_playlists_in_a_playlist_are_looked_through_and_folders_are_not(tmp_path: Path) -> None:
    _touch(tmp_path, "folder/b.mp3", "c.mp3")
    _list(tmp_path, "inner.m3u", "c.mp3\nouter.m3u\n")
    _list(tmp_path, "broken.m3u", "# nothing\n")
    found = scan([_list(tmp_path, "outer.m3u", "inner.m3u\nfolder\nbroken.m3u\n/\n")])
    assert [str(file.path.relative_to(tmp_path)) for file in found.files] == ["c.mp3"]
    assert found.folders == ()
    reasons = {file.name: failure.reason for file, failure in found.failures}
    assert "is a folder" in reasons["folder"]
    assert "is a folder" in reasons["/"]
    assert "names no files" in reasons["broken.m3u"]


def test_what_is_elsewhere_has_its_own_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "music/a.mp3", "lists/b.mp3")
    found = scan([_list(tmp_path / "lists", "list.m3u", "../music/a.mp3\nb.mp3\n")])
    assert [(file.root, file.name) for file in found.files] == [
        (tmp_path / "music", "a.mp3"),
        (tmp_path / "lists", "b.mp3"),
    ]


@pytest.mark.parametrize(
    "line", ["file://[bad/a.mp3", "a\0b.mp3", "x" * 5_000, "%zz%", ".", "..", "//", "\\", "C:"]
)
def test_odd_lines_are_named_and_nothing_else_happens(tmp_path: Path, line: str) -> None:
    found = scan([_list(tmp_path, "list.m3u", f"{line}\n")])
    assert found.files == ()
    assert len(found.failures) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.m3u", ""),
        ("a.m3u", "#EXTM3U\n"),
        ("a.pls", "File1=a.mp3\n"),
        ("a.pls", "[playlist]\n"),
        ("a.cue", "x"),
    ],
)
def test_a_playlist_without_entries_is_one_sentence(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(PoolError, match=r"names no files|is no playlist") as error:
        scan([_list(tmp_path, name, text)])
    assert "\n" not in str(error.value)


def test_a_pool_of_a_playlist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav", "unnamed.wav"])
    playlist = _list(music, "list.m3u", "b.wav\na.wav\ngone.wav\n")
    assert run_here("pool", "build", str(playlist), "--out", str(tmp_path / "pool"), "--quiet") == 1
    assert "gone.wav: list.m3u names it, but it is not there" in capsys.readouterr().err
    run_here("pool", "info", str(tmp_path / "pool"), "--chunks", "--json")

    told = json.loads(capsys.readouterr().out)
    assert list(dict.fromkeys(chunk["song"] for chunk in told["chunks"])) == ["b.wav", "a.wav"]
