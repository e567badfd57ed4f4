"""Changes of music are noticed whatever befalls its folder, and a build is due once they have settled."""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

import tools.running.watching
from tests.support.music import quick_settings, write_music
from tests.support.waiting import wait_until
from tools.pools.build import build_pool
from tools.running.background import Command
from tools.running.preparing import Prepared, prepare
from tools.running.watching import FIRST_RETRY_S, LONGEST_RETRY_S, REST, SETTLED_S, Changes, Watching


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    return folder


@pytest.fixture
def watched(music: Path) -> Iterator[Callable[..., Changes]]:
    """Watch the music, and return as soon as what happens there is noticed."""
    opened: list[Changes] = []

    def watch(leave_out: Path = Path("/nowhere")) -> Changes:
        opened.append(Changes([music], leave_out=leave_out))
        noticed(opened[0], lambda: (music / "probe").write_text(str(threading.get_ident())))
        return opened[0]

    yield watch
    for changes in opened:
        changes.close()
        assert not changes._thread.is_alive()


def noticed(changes: Changes, act: Callable[[], object]) -> None:
    """Act again and again until it is noticed."""
    before = changes.count

    def told() -> bool:
        act()
        return changes.count > before

    wait_until(told, "it is noticed")


def test_what_is_no_music_is_no_change(
    music: Path, watched: Callable[..., Changes], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = Changes._is_music

    def listen(changes: Changes, change: watchfiles.Change, name: str) -> bool:
        if real(changes, change, name):
            told.append(Path(name).name)
        return real(changes, change, name)

    monkeypatch.setattr(Changes, "_is_music", listen)
    (music / "pool").mkdir()
    watched(leave_out=music / "pool")
    (music / "album" / ".hidden.wav").write_text("1")
    (music / "pool" / "pool.db").write_text("1")
    (music / "album" / "song.wav").write_text("1")
    wait_until(lambda: "song.wav" in told, "the song")
    assert set(told) == {"song.wav", "probe"}


def test_a_folder_that_was_removed_is_watched_when_it_is_back(
    music: Path, watched: Callable[..., Changes]
) -> None:
    """What watchfiles 1.3 never tells: its watch stays with the folder that is gone."""
    changes = watched()
    for take_away, put_back in (
        (lambda: shutil.rmtree(music), music.mkdir),
        (lambda: music.rename(music.with_name("away")), lambda: music.with_name("away").rename(music)),
    ):
        before = changes.count
        take_away()
        wait_until(lambda before=before: changes.count > before, "it is missed")  # type: ignore[misc]
        before = changes.count
        put_back()
        wait_until(lambda before=before: changes.count > before, "it is back")  # type: ignore[misc]
        noticed(changes, lambda: (music / "song.wav").write_text("1"))


def test_without_a_watch_of_the_system_folders_are_looked_through(
    music: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With every inotify instance in use watchfiles 1.3 raises, whatever its documentation says."""
    real = watchfiles.watch

    def refused(*places: Path, force_polling: bool, **others: Any) -> Any:
        if not force_polling:
            raise RuntimeError("Error creating recommended watcher: Too many open files (os error 24)")
        return real(*places, force_polling=True, **others)

    monkeypatch.setattr(watchfiles, "watch", refused)
    monkeypatch.setattr(tools.running.watching, "POLL_S", 0.2)
    changes = Changes([music], leave_out=Path("/nowhere"))
    try:
        noticed(changes, lambda: (music / "song.wav").write_text("1"))
        assert changes.settled_s(0.3) == 0.5
        (line,) = caplog.records
        assert line.levelno == logging.WARNING and "Too many open files" in line.message
        assert "looked through every 0.2 s" in line.message
    finally:
        changes.close()


class Counted:
    """In the place of what watches: two numbers."""

    def __init__(self, music: object, leave_out: object) -> None:
        self.count, self.last_s = 0, 0.0

    def settled_s(self, least_s: float) -> float:
        return least_s

    def changed(self, now_s: float) -> None:
        self.count, self.last_s = self.count + 1, now_s


def test_a_build_waits_until_all_has_settled_and_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.running.watching, "Changes", Counted)
    begun: list[int] = []
    watching = Watching([], Path("pool"), lambda: begun.append(1))  # type: ignore[arg-type,return-value]
    changes: Counted = watching._changes  # type: ignore[assignment]
    watching.build(100.0)
    watching.built(101.0, failed=False)
    assert not watching.is_due(200.0), "nothing has changed"
    for now_s in (200.0, 202.0, 204.0):
        changes.changed(now_s)
        assert not watching.is_due(now_s + SETTLED_S - 0.1), "it grows"
    assert watching.is_due(204.0 + SETTLED_S)
    watching.build(210.0)
    changes.changed(211.0)
    watching.built(220.0, failed=False)
    assert not watching.is_due(220.0 + 10 * REST - 0.1), "it rests"
    assert watching.is_due(220.0 + 10 * REST), "what changed meanwhile is built"
    assert len(begun) == 2


def test_what_fails_is_tried_again_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.running.watching, "Changes", Counted)
    watching = Watching([], Path("pool"), lambda: None)  # type: ignore[arg-type,return-value]
    now_s, waited_s = 1000.0, []
    for _ in range(9):
        watching.built(now_s, failed=True)
        watching._rests_until_s = now_s
        began_s = now_s
        while not watching.is_due(now_s):
            now_s += FIRST_RETRY_S / 2
        waited_s.append(now_s - began_s)
        watching.build(now_s)
    assert waited_s[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert waited_s[-1] == LONGEST_RETRY_S
    watching.built(now_s, failed=False)
    assert not watching.is_due(now_s + 10 * LONGEST_RETRY_S)


class Told:
    """In the place of a builder: it has ended, and this is why."""

    running = False
    log = Path("the.log")

    def __init__(self, failure: str | None) -> None:
        self._failure = failure

    def failure(self) -> str | None:
        return self._failure

    def close(self) -> None:
        pass


def test_what_is_wrong_is_told_once_until_it_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.running.watching, "Changes", Counted)
    failures = iter(["gone", "gone", None, "gone", None])
    watching = Watching([], Path("pool"), lambda: Told(next(failures)))  # type: ignore[arg-type,return-value]
    prepared = Prepared(Path("pool"), watching.build(0.0), watching)
    told = []
    for _ in range(4):
        told.append(prepared.look())
        watching._rests_until_s = 0.0
        watching._changes.changed(-SETTLED_S)  # type: ignore[attr-defined]
        prepared.look()
    assert told == ["gone (the.log names them)", None, None, "gone (the.log names them)"]


def test_a_pool_is_built_again_as_it_was_built(
    tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_music(music, ["a.wav", "b.wav"])
    pool = tmp_path / "pool"
    report = build_pool([music], pool, quick_settings())
    begun: list[Command] = []

    def built(words: list[str], log: Path) -> Command:
        begun.append(Command(words, log))
        return begun[-1]

    monkeypatch.setattr("tools.running.preparing.Command", built)
    prepared = prepare(pool, watch=True)
    try:
        assert prepared.build is None, "it is what it is"
        assert prepared._watching is not None
        command = prepared._watching.build(0.0)
        wait_until(lambda: not command.running, "the build")
        assert command.failure() is None
    finally:
        prepared.close()
    again = build_pool([music], pool, quick_settings())
    assert (again.analysed, again.chunks) == (0, report.chunks)
    assert again.generation == report.generation, "nothing was cut otherwise"
    assert prepare(pool)._watching is None
