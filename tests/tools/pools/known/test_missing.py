"""Music that is missing is told and kept in the pool, unless it is wished away."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import tools.pools.tidying
from model.base.errors import PoolError
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import current_generation, open_pool
from tests.support.music import quick_settings, write_music
from tools.app import app
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.known.missing import in_order
from tools.pools.scan import FoundFile
from tools.songs.cut import CutSettings


@pytest.fixture
def one(tmp_path: Path) -> Path:
    write_music(tmp_path / "one", ["a.wav", "c.wav"])
    return tmp_path / "one"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder as a disk that can be away would hold it."""
    write_music(tmp_path / "two", ["b.wav", "d.wav", "sub/e.wav"])
    return tmp_path / "two"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pool"


def _unmount(folder: Path) -> Path:
    away = folder.with_name("away")
    folder.rename(away)
    folder.mkdir()
    return away


def _names(out: Path) -> list[str]:
    return [song.name for song in open_pool(out).songs]


def test_files_that_are_missing_stand_where_they_would_have_been_found() -> None:
    one, two, other, past = Path("/one"), Path("/two"), Path("/other"), Path("/past")

    def file(root: Path, name: str) -> FoundFile:
        return FoundFile(root=root, name=name, size_bytes=1, mtime_ns=1, ctime_ns=1)

    # As a playlist has them: not by name.
    found = [file(one, "d"), file(one, "b"), file(one, "e"), file(two, "b")]
    kept = [
        *(file(other, "a"), file(other, "c"), file(past, "b"), file(past, "d")),
        *(file(two, "c"), file(two, "a"), file(one, "f"), file(one, "c"), file(one, "a")),
    ]
    assert [str(one.path) for one in in_order(found, kept, [one, two])] == [
        *("/one/a", "/one/c", "/one/d", "/one/b", "/one/e", "/one/f"),
        *("/two/a", "/two/b", "/two/c"),
        *("/other/a", "/other/c", "/past/b", "/past/d"),
    ]


def test_an_empty_folder_keeps_its_songs_in_the_pool(one: Path, two: Path, out: Path) -> None:
    first = build_pool([one, two], out, quick_settings())
    assert first.missing == ()
    away = _unmount(two)
    report = build_pool([one, two], out, quick_settings())
    assert (report.songs, report.removed, report.generation) == (5, 0, first.generation)
    assert [(lack.folder, lack.songs, lack.missing) for lack in report.missing] == [(two, 3, 3)]
    # They keep their place when something else changes, too.
    write_music(one, ["new.wav"])
    report = build_pool([one, two], out, quick_settings())
    assert (report.songs, report.analysed, report.removed) == (6, 1, 0)
    assert _names(out) == ["a.wav", "c.wav", "new.wav", "b.wav", "d.wav", "sub/e.wav"]
    two.rmdir()
    away.rename(two)
    report = build_pool([one, two], out, quick_settings())
    assert (report.songs, report.analysed, report.missing) == (6, 0, ())
    assert check_pool(out, deep=True) == []


def test_a_folder_that_lost_most_of_its_songs_keeps_them_in_the_pool(two: Path, out: Path) -> None:
    build_pool([two], out, quick_settings())
    (two / "b.wav").unlink()
    shutil.rmtree(two / "sub")
    report = build_pool([two], out, quick_settings())
    assert (report.songs, report.removed) == (3, 0)
    assert [(lack.folder, lack.songs, lack.missing) for lack in report.missing] == [(two, 3, 2)]
    assert _names(out) == ["b.wav", "d.wav", "sub/e.wav"]
    report = build_pool([two], out, quick_settings(remove=True))
    assert (report.songs, report.removed, report.missing) == (1, 2, ())


def test_a_few_songs_less_are_a_wish(two: Path, out: Path) -> None:
    build_pool([two], out, quick_settings())
    (two / "b.wav").unlink()
    report = build_pool([two], out, quick_settings())
    assert (report.songs, report.removed, report.missing) == (2, 1, ())


def test_a_folder_that_is_no_longer_named_is_a_wish(one: Path, two: Path, out: Path) -> None:
    build_pool([one, two], out, quick_settings())
    report = build_pool([one], out, quick_settings())
    assert (report.songs, report.removed, report.missing) == (2, 3, ())


def test_files_that_moved_are_not_missing(one: Path, two: Path, out: Path) -> None:
    build_pool([one, two], out, quick_settings())
    for name in ("b.wav", "d.wav", "sub/e.wav"):
        (two / name).rename(one / f"moved-{Path(name).name}")
    write_music(two, ["other.wav"])
    report = build_pool([one, two], out, quick_settings())
    assert (report.songs, report.missing) == (6, ())


def test_what_is_missing_and_would_have_to_be_analysed_anew_ends_the_build(
    one: Path, two: Path, out: Path
) -> None:
    build_pool([one, two], out, quick_settings())
    before = current_generation(out)
    _unmount(two)
    other = quick_settings(cut=CutSettings(cut="equal", chunk_s=1.0))
    with pytest.raises(PoolError, match=r"two lacks songs .* or build with --remove"):
        build_pool([one, two], out, other)
    assert current_generation(out) == before
    assert len(open_pool(out).songs) == 5


def test_an_empty_folder_is_told_and_the_exit_is_1(one: Path, two: Path, out: Path) -> None:
    empty = out.with_name("empty")
    empty.mkdir()
    words = ["pool", "build", "--cut", "equal", "--jobs", "1", "--out", str(out)]
    run = CliRunner().invoke(app, [*words, str(one), str(empty)])
    assert run.exit_code == 1
    assert f"missing: {empty} holds no music" in run.stderr
    _unmount(two)
    empty.rmdir()
    shutil.move(out.with_name("away"), empty)
    assert CliRunner().invoke(app, [*words, str(one), str(empty)]).exit_code == 0
    shutil.rmtree(empty)
    empty.mkdir()
    run = CliRunner().invoke(app, [*words, str(one), str(empty)])
    assert run.exit_code == 1
    assert f"missing: {empty} lacks 3 of the 3 songs that the pool had of it" in run.stderr
    assert "--remove" in run.stderr
    run = CliRunner().invoke(app, [*words, str(one), str(empty), "--remove"])
    assert run.exit_code == 0
    assert len(open_pool(out).songs) == 2


# What left the pool


def test_a_file_that_comes_back_is_not_analysed_again(one: Path, two: Path, out: Path) -> None:
    build_pool([one, two], out, quick_settings())
    kept = open_pool(out)
    for _ in range(3):
        build_pool([one], out, quick_settings())
        write_music(one, [f"{time.monotonic_ns()}.wav"])
    for path in one.glob("[0-9]*.wav"):
        path.unlink()
    report = build_pool([one, two], out, quick_settings(remove=True))
    assert (report.songs, report.analysed) == (5, 0)
    np.testing.assert_array_equal(open_pool(out).heads, kept.heads)
    assert check_pool(out, deep=True) == []


@pytest.mark.parametrize(("limit", "value"), [("KEPT_LEFT_S", -1.0), ("KEPT_LEFT_BYTES", 0)])
def test_what_left_is_kept_for_a_while_and_not_without_bound(
    one: Path, two: Path, out: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    build_pool([one, two], out, quick_settings())
    monkeypatch.setattr(tools.pools.tidying, limit, value)
    for number in range(3):
        write_music(one, [f"{number}.wav"])
        build_pool([one], out, quick_settings())
    with closing(sqlite3.connect(out / DATABASE_FILE)) as database:
        assert database.execute("SELECT COUNT(*) FROM places").fetchone() == (5,)
    assert list((out / "analysis").iterdir()) == []
    assert build_pool([one, two], out, quick_settings()).analysed == 3
