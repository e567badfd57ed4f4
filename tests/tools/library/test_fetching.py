"""Songs of a Subsonic server come once each, whole, and under names that lead nowhere else."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from model.base.errors import EndlosError
from tests.support.commands import run_here
from tests.support.music import write_music
from tests.support.subsonic_server import PASSWORD, USER, SubsonicFake
from tools.library.fetching import FetchReport, fetch_library
from tools.library.selection import MusicSelection
from tools.library.subsonic import SubsonicServer

READ_ONLY = {"getPlaylists", "getPlaylist", "getAlbumList2", "getAlbum", "download"}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[SubsonicFake]:
    music = tmp_path / "server"
    files = ["x/1.flac", "x/2.flac", "y/3.flac", "y/4.flac"]
    write_music(music, files, seconds=0.3)
    told = [
        {"id": "1", "title": "One", "path": "Ada/First/01 - One.flac", "album": "First", "genre": "House"},
        {"id": "2", "title": "Two", "path": "/../../Ada/First/01 - One.flac", "album": "First"},
        {
            "id": "3",
            "title": "What? / Else",
            "artist": "Bob",
            "album": "Second",
            "track": 3,
            "suffix": "flac",
        },
        {"id": "4", "title": "Four", "artist": "..", "album": "Second", "suffix": "flac"},
    ]
    told[3]["genres"] = [{"name": "Dub"}]  # type: ignore[assignment]
    songs = [
        {**song, "size": (music / file).stat().st_size, "file": file}
        for song, file in zip(told, files, strict=True)
    ]
    with SubsonicFake(music=music, songs=songs, playlists={"Mix": ["3", "1", "3"], "Ü/Other": []}) as server:
        yield server


def brought(fake: SubsonicFake, out: Path, *playlists: str, **wishes: tuple[object, ...]) -> FetchReport:
    server = SubsonicServer(url=fake.url, user=USER, password=PASSWORD)
    selection = MusicSelection(**wishes)  # type: ignore[arg-type]
    return fetch_library(
        server, out, playlists=playlists, selection=selection, tell=lambda what, done, total: None
    )


def test_everything_comes_once_and_whole(fake: SubsonicFake, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = brought(fake, out)
    assert (report.songs, report.downloaded, report.failed) == (4, 4, ())
    lines = (out / "all.m3u8").read_text().splitlines()
    assert lines[0] == "#EXTM3U" and len(lines) == 5
    assert (lines[1], lines[3:]) == (
        "Ada/First/01 - One.flac",
        ["Bob/Second/03 What_ _ Else.flac", "_/Second/Four.flac"],
    )
    # Its own name is taken, and what leads elsewhere is left out.
    assert lines[2].startswith("Ada/First/01 - One ") and lines[2].endswith(".flac")
    for line, song in zip(lines[1:], fake.songs, strict=True):
        assert (out / line).read_bytes() == (fake.music / song["file"]).read_bytes()
    assert set(fake.asked) <= READ_ONLY
    again = brought(fake, out)
    assert (again.songs, again.downloaded, again.downloaded_bytes) == (4, 0, 0)


def test_a_playlist_keeps_its_order(fake: SubsonicFake, tmp_path: Path) -> None:
    report = brought(fake, tmp_path / "out", "mix")
    assert (report.songs, report.playlists) == (2, (tmp_path / "out" / "mix.m3u8",))
    lines = report.playlists[0].read_text().splitlines()[1:]
    assert lines == [
        "Bob/Second/03 What_ _ Else.flac",
        "Ada/First/01 - One.flac",
        "Bob/Second/03 What_ _ Else.flac",
    ]
    with pytest.raises(EndlosError, match="has no playlist 'gone'; there is 'Mix', 'Ü/Other'"):
        brought(fake, tmp_path / "out", "gone")


def test_only_what_is_tagged_so_and_what_is_here_stays_where_it_is(
    fake: SubsonicFake, tmp_path: Path
) -> None:
    assert brought(fake, tmp_path / "dub", where=("genre=dub",)).songs == 1
    mounted = tmp_path / "mounted"
    write_music(mounted, ["Ada/First/01 - One.flac"], seconds=0.3)
    report = brought(fake, tmp_path / "out", where=("genre=house",), roots=(mounted,))
    assert (report.songs, report.downloaded) == (1, 0)
    assert report.playlists[0].read_text().splitlines()[1:] == ["../mounted/Ada/First/01 - One.flac"]


def test_a_file_that_breaks_off_is_no_file(fake: SubsonicFake, tmp_path: Path) -> None:
    fake.broken.add("1")
    report = brought(fake, tmp_path / "out", "Mix")
    assert len(report.failed) == 1 and report.failed[0].startswith("unknown, One: ")
    there = sorted(path.name for path in (tmp_path / "out").rglob("*.*"))
    assert there == ["03 What_ _ Else.flac", "Mix.m3u8"]
    fake.broken.clear()
    assert brought(fake, tmp_path / "out", "Mix").downloaded == 1


def test_the_command_tells_and_never_says_the_password(
    fake: SubsonicFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    words = ("pool", "fetch", fake.url, "--out", tmp_path / "out", "--user", USER, "--password-file", secret)
    assert run_here(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["downloaded"] == 4
    secret.write_text("wrong", encoding="utf-8")
    assert run_here(*words) == 1
    told = capsys.readouterr().err
    assert f"{fake.url} refuses: Wrong username or password" in told and "wrong" not in told


def test_what_is_no_server_is_a_sentence(tmp_path: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if "getAlbumList2" in self.path else 200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        Thread(target=page.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{page.server_port}"
        server = SubsonicServer(url=url, user=USER, password=PASSWORD)
        with pytest.raises(EndlosError, match=f"{url} does not speak Subsonic|{url} answers 404"):
            list(server.all_songs())
        with pytest.raises(EndlosError, match=f"what answers at {url} does not speak Subsonic"):
            server.playlists()
        page.shutdown()
    with pytest.raises(EndlosError, match=f"{url} cannot be reached \\(Connection refused\\)"):
        server.playlists()
    for bad in ("ftp://music.example", "music.example", "https://"):
        with pytest.raises(EndlosError, match="is no address of a server"):
            SubsonicServer(url=bad, user=USER, password=PASSWORD)
    with pytest.raises(EndlosError, match="would be seen by others"):
        SubsonicServer(url="https://ada:x@music.example", user=USER, password=PASSWORD)
