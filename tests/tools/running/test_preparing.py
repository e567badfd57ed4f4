"""Music becomes a pool in the background, sounds early, lets later songs join, and faults are told."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from model.base.errors import EndlosError, PoolError
from model.base.kernel_cache import kernel_place
from stream.choosing.settings import PlannerSettings
from stream.engine.settings import EngineSettings
from stream.pool.pool import open_pool
from tests.support.commands import wait_until
from tests.support.music import write_music
from tools.running import compiling
from tools.running.home import cached_pool, demo_folder
from tools.running.preparing import Command, Prepared, prepare

SETTINGS = EngineSettings(planner=PlannerSettings(strategy="random"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    monkeypatch.setenv("ENDLOS_HOME", str(place))
    return place


def nothing() -> None:
    """Notice nothing."""


def test_a_pool_is_played_as_it_is(tiny_pool: Path) -> None:
    prepared = prepare(tiny_pool)
    assert prepared.pool == tiny_pool
    assert prepared.build is None
    engine = prepared.open_engine(SETTINGS, nothing)
    folder = kernel_place().folder
    assert folder is not None and compiling._mark(folder, SETTINGS).exists()
    assert engine.now().songs == 3
    engine.close()
    prepared.close()


def test_music_is_built_and_new_songs_join_the_next_time(tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav"], seconds=20.0)
    noticed = []
    told: list[str] = []
    prepared = prepare(music, tell=told.append)
    assert told == [f"analysing {music} (first sound in some seconds) ..."]
    engine = prepared.open_engine(SETTINGS, lambda: noticed.append(1))
    assert noticed
    assert engine.render(1000).shape == (1000, 2)
    assert prepared.build is not None
    wait_until(lambda: not prepared.build.running, "the build")  # type: ignore[union-attr]
    assert prepared.build.failure() is None
    engine.close()
    assert prepared.pool == cached_pool(music)
    assert len(open_pool(prepared.pool).songs) == 2

    write_music(music, ["c.wav"], seconds=20.0)
    again = prepare(music, tell=told.append)
    assert len(told) == 1, "what is known plays at once"
    engine = again.open_engine(SETTINGS, nothing)
    assert engine.now().songs >= 2, "what is there plays at once"
    wait_until(lambda: again.build is not None and not again.build.running, "the build")
    assert len(open_pool(again.pool).songs) == 3
    engine.close()


def test_music_that_yields_nothing_is_told(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    (music / "text.mp3").write_text("no music")
    prepared = prepare(music)
    with pytest.raises(PoolError, match=r"no file \(of 1\) yields a chunk"):
        prepared.open_engine(SETTINGS, nothing)
    prepared.close()


def test_a_bad_file_is_told_while_the_rest_plays(tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav"], seconds=20.0)
    (music / "text.mp3").write_text("no music")
    prepared = prepare(music)
    engine = prepared.open_engine(SETTINGS, nothing)
    assert prepared.build is not None
    wait_until(lambda: not prepared.build.running, "the build")  # type: ignore[union-attr]
    assert "1 file could not be read" in str(prepared.build.failure())
    assert "text.mp3" in prepared.build.log.read_text()
    engine.close()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(EndlosError, match="does not exist"):
        prepare(tmp_path / "nothing")


def test_a_wait_can_be_given_up_and_the_build_is_ended(tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav"], seconds=20.0)
    prepared = prepare(music)

    def impatient() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared.open_engine(SETTINGS, impatient)
    prepared.close()
    assert prepared.build is not None
    assert not prepared.build.running
    # What it began is taken up, not lost or broken.
    again = prepare(music)
    again.open_engine(SETTINGS, nothing).close()
    again.close()


def test_demo_songs_are_made_once(home: Path, tiny_music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    told: list[str] = []

    class Making(Command):
        def __init__(self, words: list[str], log: Path) -> None:
            if words[0] == "demo-songs":
                assert told == ["making demo songs ..."], "before, not after"
                made.append(words)
                shutil.copytree(tiny_music, words[1])
                words = ["--version"]
            super().__init__(words, log)

    monkeypatch.setattr("tools.running.preparing.Command", Making)
    for _ in range(2):
        prepared = prepare(None, tell=told.append)
        prepared.open_engine(SETTINGS, nothing).close()
        prepared.close()
    assert len(made) == 1
    assert [line.split()[0] for line in told] == ["making", "analysing"]
    assert len(list(demo_folder().iterdir())) == 3
    assert not list(home.glob("*.part"))


def test_demo_songs_that_cannot_be_made(home: Path) -> None:
    home.mkdir()
    (home / "demo-songs.part").write_text("in the way")
    with pytest.raises(EndlosError, match=r"cannot be written|exists"):
        prepare(None)
    assert not demo_folder().exists()


def test_a_command_in_the_background_imports_this_endlos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder `tools` where the user happens to be is not ours."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("raise SystemExit('the wrong tools')")
    monkeypatch.chdir(tmp_path)
    command = Command(["--version"], tmp_path / "log")
    wait_until(lambda: not command.running, "its end")
    assert command.failure() is None
    assert command.log.read_text().startswith("endlos ")


def test_a_command_and_its_workers_end_together(tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_music(music, [f"{name}.wav" for name in "abcd"], seconds=60.0)
    command = Command(
        ["pool", "build", str(music), "--out", str(tmp_path / "p"), "--jobs", "2"], tmp_path / "log"
    )
    group = command._process.pid

    def members() -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    os.getpgid(int(entry.name)) == group
                    and "Z" not in (entry / "stat").read_text().split()[2]
                ):
                    found.append(int(entry.name))
            except (ProcessLookupError, FileNotFoundError):
                continue
        return found

    wait_until(lambda: len(members()) > 1 or not command.running, "its workers")
    command.close()
    wait_until(lambda: not members(), "the end of all of them")
    # By the signal where it came before anything was listening to it.
    assert command._process.returncode in (128 + signal.SIGTERM, -signal.SIGTERM, 0)


def test_a_failure_without_a_sentence_names_the_log(tmp_path: Path) -> None:
    command = Command(["no-such-command"], tmp_path / "log")
    wait_until(lambda: not command.running, "its end")
    assert str(tmp_path / "log") in str(command.failure())


def test_an_unpublished_pool_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "pool.db").write_bytes(b"")
    assert not Prepared(tmp_path, None)._published()
