"""The desktop's bus, a real one, steers the stream and shows what plays; without one nothing happens."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stream.pool.covers import Cover
from stream.pool.songs import Song
from stream.service.moment import Moment
from stream.service.mpris import MediaKeys, session_bus
from tests.support.commands import Running
from tests.support.moments import a_moment, a_song
from tests.support.waiting import PATIENCE_S, wait_until

NAME = "org.mpris.MediaPlayer2.endlos"
PLAYER = "org.mpris.MediaPlayer2.Player"
PATH = "/org/mpris/MediaPlayer2"
COVER = b"\x89PNG\r\n\x1a\n and the rest"


class FakeStream:
    """What the media keys steer."""

    def __init__(self) -> None:
        self.now = a_moment(song=a_song("Grüße", "Ä & B", 90.0), position_s=12.5)
        self.skips = 0
        self.by_db = 0.0

    def moment(self) -> Moment:
        return self.now

    def skip(self) -> None:
        self.skips += 1

    def set_pause(self, paused: bool) -> None:
        self.now = replace(self.now, paused=paused)

    def change_volume(self, by_db: float) -> None:
        self.by_db += by_db


@pytest.fixture(scope="module")
def bus(require_real: Callable[[str, bool], None]) -> Iterator[str]:
    """The address of a session bus of our own."""
    found = shutil.which("dbus-daemon") is not None and shutil.which("busctl") is not None
    require_real("no session bus: install it (Debian: dbus-daemon systemd)", found)
    with tempfile.TemporaryDirectory(prefix="endlos-") as folder:
        address = f"unix:path={folder}/bus"
        daemon = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", f"--address={address}"], stderr=subprocess.DEVNULL
        )
        try:
            wait_until(Path(folder, "bus").exists, "the bus")
            yield address
        finally:
            daemon.kill()
            daemon.wait()


@pytest.fixture
def played(bus: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStream]:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    stream = FakeStream()
    with MediaKeys(stream, lambda song: Cover(data=COVER, content_type="image/png")):
        wait_until(lambda: NAME in names(bus), "its name on the bus")
        yield stream


def busctl(bus: str, *words: str) -> str:
    done = subprocess.run(
        ["busctl", f"--address={bus}", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    return done.stdout


def names(bus: str) -> list[str]:
    listed = json.loads(busctl(bus, "--json=short", "list"))
    return [one["name"] for one in listed if one["name"].startswith(NAME)]


def told(bus: str, name: str, interface: str = PLAYER) -> object:
    return json.loads(busctl(bus, "--json=short", "get-property", NAME, PATH, interface, name))["data"]


def test_it_says_what_plays(bus: str, played: FakeStream) -> None:
    assert told(bus, "Identity", "org.mpris.MediaPlayer2") == "endlos"
    assert told(bus, "PlaybackStatus") == "Playing"
    assert told(bus, "Position") == 12_500_000
    metadata = told(bus, "Metadata")
    assert isinstance(metadata, dict)
    said = {name: value["data"] for name, value in metadata.items()}
    art = Path(said.pop("mpris:artUrl").removeprefix("file://"))
    assert art.read_bytes() == COVER
    assert said == {
        "mpris:trackid": "/org/endlos/song/1",
        "mpris:length": 90_000_000,
        "xesam:title": "Grüße",
        "xesam:artist": ["Ä & B"],
    }


def test_keys_steer_the_stream(bus: str, played: FakeStream) -> None:
    for method, paused in (("Pause", True), ("PlayPause", False), ("PlayPause", True), ("Play", False)):
        busctl(bus, "call", NAME, PATH, PLAYER, method)
        assert played.now.paused == paused, method
        assert told(bus, "PlaybackStatus") == ("Paused" if paused else "Playing")
    busctl(bus, "call", NAME, PATH, PLAYER, "Next")
    assert played.skips == 1
    busctl(bus, "set-property", NAME, PATH, PLAYER, "Volume", "d", "0.5")
    assert played.by_db == pytest.approx(-6.02, abs=0.01)


def test_who_listens_is_told_of_another_song_and_of_a_jump(bus: str, played: FakeStream) -> None:
    watcher = subprocess.Popen(
        [
            "busctl",
            f"--address={bus}",
            "--json=short",
            "--match=type='signal',sender='" + NAME + "'",
            "monitor",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert watcher.stdout is not None
    heard: list[str] = []
    try:
        # What it says first is that it listens.
        heard.append(watcher.stdout.readline())
        reader = threading.Thread(target=lambda: heard.extend(iter(watcher.stdout.readline, "")), daemon=True)  # type: ignore[union-attr]
        reader.start()
        song = replace(a_song("Another", "", 60.0), song_id=2)
        played.now = replace(played.now, playing=replace(played.now.playing, song=song, position_s=3.0))
        wait_until(lambda: any("PropertiesChanged" in one and "Another" in one for one in heard), "the song")
        played.now = replace(played.now, playing=replace(played.now.playing, position_s=50.0))
        wait_until(lambda: any('"Seeked"' in one for one in heard), "the jump")
    finally:
        watcher.kill()
        watcher.wait()


def test_it_leaves_no_name_and_no_cover_behind(
    bus: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        MediaKeys(FakeStream(), lambda song: Cover(data=COVER, content_type="image/png")),
        MediaKeys(FakeStream(), lambda song: None),
    ):
        # The second one is told apart by its process.
        wait_until(lambda: len(names(bus)) == 2, "two names")
        assert set(names(bus)) == {NAME, f"{NAME}.instance{os.getpid()}"}
        assert list(tmp_path.glob("*/*.png"))
    wait_until(lambda: names(bus) == [], "no name")
    assert list(tmp_path.iterdir()) == []


def failing(song: Song) -> Cover | None:
    raise OSError("the pool is gone")


def test_a_cover_that_cannot_be_read_is_none(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    with MediaKeys(FakeStream(), failing):
        wait_until(lambda: NAME in names(bus), "its name on the bus")
        assert "mpris:artUrl" not in str(told(bus, "Metadata"))
    wait_until(lambda: names(bus) == [], "no name")


@pytest.mark.parametrize("address", ["", "unix:path=/nowhere/bus", "nonsense"])
def test_without_a_bus_nothing_happens(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if not address:
        assert session_bus() is None
    with MediaKeys(FakeStream(), failing):
        pass
    assert capfd.readouterr() == ("", "")


def test_play_is_on_the_bus(bus: str, tiny_pool: Path) -> None:
    words = ("play", tiny_pool, "--strategy", "random", "--http", "127.0.0.1:0")
    with Running(*words, DBUS_SESSION_BUS_ADDRESS=bus) as running:
        running.wait_for("serving http://")
        wait_until(lambda: NAME in names(bus), "its name on the bus")
        busctl(bus, "call", NAME, PATH, PLAYER, "Pause")
        wait_until(lambda: told(bus, "PlaybackStatus") == "Paused", "the pause")
        assert "xesam:title" in str(told(bus, "Metadata"))
