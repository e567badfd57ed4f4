"""A build on a failing disk or process says one sentence and loses nothing that was built."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tools.pools.columns.disk
import tools.pools.place
import tools.pools.tasks
from model.base.errors import PoolError
from stream.pool.database import DATABASE_FILE, SCHEMA_VERSION
from stream.pool.pool import generation_folder, open_pool
from tests.support.music import quick_settings, write_music
from tests.support.small_disk import small_disk
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.place import GRID_FOLDER, locked, save_array, storing

ROOT = Path(__file__).resolve().parents[3]

BUILD = """
import sys
from pathlib import Path
from model.base.errors import PoolError
from tests.support.music import quick_settings
from tools.pools.build import build_pool

def tell(progress):
    print(progress.done, progress.generation, flush=True)

if __name__ == "__main__":
    try:
        build_pool([Path(sys.argv[1])], Path(sys.argv[2]), quick_settings(jobs=int(sys.argv[3])), tell)
    except PoolError as error:
        print("sentence:", error, flush=True)
"""


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_music(tmp_path / "music", [f"{number}.wav" for number in range(4)])
    return tmp_path / "music"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pool"


def _start(tmp_path: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    script = tmp_path / "build.py"
    script.write_text(BUILD)
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_build_goes_on_where_it_was(tmp_path: Path, out: Path) -> None:
    music = tmp_path / "music"
    write_music(music, [f"{number}.wav" for number in range(60)])
    build = _start(tmp_path, str(music), str(out), "2")
    assert build.stdout is not None
    with build, build.stdout as lines:
        done = 0
        while done < 3:
            done = int(next(lines).split()[0])
        build.send_signal(signal.SIGKILL)
        build.wait()
        for line in lines:
            done = int(line.split()[0])
    # What was published can be played at once, and what was told as done is done.
    assert not open_pool(out).complete
    report = build_pool([music], out, quick_settings())
    assert done <= report.reused < 60
    assert report.analysed == 60 - report.reused
    assert (report.songs, open_pool(out).complete) == (60, True)
    assert not [path for path in out.rglob("*") if path.suffix == ".part"]
    assert check_pool(out) == []


def test_what_a_killed_build_left_half_written_is_removed(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    (out / "analysis" / "abc.npy.part").write_bytes(b"half")
    (out / "decoded" / "abc.npy.77.part").write_bytes(b"half")
    (out / "generations" / "000002.part").mkdir()
    (out / "generations" / "000002.part" / "heads.npy").write_bytes(b"half")
    (out / "columns" / "000002.part").mkdir()
    (out / "columns" / "000002.part" / "heads.bin").write_bytes(b"half")
    (out / "columns" / "000007").mkdir()
    # Renamed into place, and killed before its transaction.
    (out / "generations" / "000009").mkdir()
    report = build_pool([music], out, quick_settings(edge_s=0.3))
    assert report.generation == 10
    assert not list(out.rglob("*.part"))
    assert not (out / "generations" / "000009").exists()
    assert [path.name for path in (out / "columns").iterdir()] == ["000008"]
    assert check_pool(out) == []


def test_what_killed_players_and_trainings_left_is_removed(music: Path, out: Path) -> None:
    generation = build_pool([music], out, quick_settings()).generation
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    home = generation_folder(out, generation)
    (out / GRID_FOLDER).mkdir()
    (home / "embeddings").mkdir()
    left = [home / f"abc.npy.{ended.pid}.part", out / GRID_FOLDER / f"abc.v1.npy.{ended.pid}.part"]
    # What somebody is writing, and what a precomputation goes on from.
    kept = [home / f"def.npy.{os.getppid()}.part", home / "scores.npy.part"]
    for path in (*left, *kept):
        path.write_bytes(b"half")
    left.append(home / "embeddings" / f"abc.{ended.pid}.part")
    left[-1].mkdir()
    (left[-1] / "starts.npy").write_bytes(b"half")
    build_pool([music], out, quick_settings())
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_an_empty_database_is_one_that_was_never_begun(music: Path, out: Path) -> None:
    out.mkdir()
    (out / DATABASE_FILE).touch()
    assert build_pool([music], out, quick_settings()).songs == 4


def test_a_second_build_is_refused_in_one_sentence(music: Path, out: Path) -> None:
    before = build_pool([music], out, quick_settings())
    with locked(out), pytest.raises(PoolError, match="is being built by another process; wait"):
        build_pool([music], out, quick_settings(edge_s=0.3))
    assert build_pool([music], out, quick_settings()).generation == before.generation


def test_a_build_can_be_read_while_its_lock_is_held(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    with locked(out):
        assert len(open_pool(out).songs) == 4


def test_out_that_is_a_file_is_refused(music: Path, out: Path) -> None:
    out.write_text("mine")
    with pytest.raises(PoolError, match="is a file; give a folder"):
        build_pool([music], out, quick_settings())
    assert out.read_text() == "mine"


def test_out_that_holds_other_things_is_refused(music: Path, out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(PoolError, match="is no pool and not empty"):
        build_pool([music], out, quick_settings())
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_out_below_a_file_is_refused(music: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PoolError, match="cannot be written: Not a directory"):
        build_pool([music], tmp_path / "file" / "pool", quick_settings())


@pytest.mark.skipif(sys.platform == "win32", reason="needs users and permissions")
def test_out_without_permission_to_write_is_refused(tmp_path: Path) -> None:
    # Root may write anywhere, so root becomes nobody in a process of its own.
    parent = tmp_path / "others"
    parent.mkdir()
    parent.chmod(0o555)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from model.base.errors import PoolError\n"
        "from tools.pools.place import GRID_FOLDER, locked\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "try:\n"
        "    with locked(Path('pool')): pass\n"
        "except PoolError as error:\n"
        "    print('sentence:', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(parent)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written: Permission denied; give a folder" in done.stdout, done.stderr


def test_a_corrupt_database_is_left_as_it_is(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    garbage = b"\x00\xff garbage " * 1_000
    (out / DATABASE_FILE).write_bytes(garbage)
    with pytest.raises(PoolError, match="cannot be read as a pool"):
        build_pool([music], out, quick_settings())
    assert (out / DATABASE_FILE).read_bytes() == garbage
    assert list((out / "columns").iterdir())


def test_a_database_with_a_damaged_page_gets_one_sentence(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    with closing(sqlite3.connect(out / DATABASE_FILE)) as database, database:
        database.execute("DELETE FROM songs")
    with pytest.raises(PoolError, match=r"pool\.db is damaged \([1-9] rows without an owner\); restore it"):
        build_pool([music], out, quick_settings())
    content = bytearray((out / DATABASE_FILE).read_bytes())
    content[4_096 * 2 :] = b"\xa5" * (len(content) - 4_096 * 2)
    (out / DATABASE_FILE).write_bytes(content)
    with pytest.raises(PoolError, match=r"pool\.db (cannot be|is damaged)"):
        build_pool([music], out, quick_settings(edge_s=0.3))


def test_another_schema_is_refused(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    with closing(sqlite3.connect(out / DATABASE_FILE)) as database, database:
        database.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    with pytest.raises(PoolError, match=f"has schema 1, this endlos reads schema {SCHEMA_VERSION}; delete"):
        build_pool([music], out, quick_settings())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of five megabytes, where this user may mount one."""
    with small_disk(tmp_path / "disk", size_mb=5) as disk:
        yield disk


def test_a_full_disk_is_foreseen(tmp_path: Path, disk: Path) -> None:
    write_music(tmp_path / "music", [f"{number}.wav" for number in range(20)])
    out = disk / "pool"
    with pytest.raises(
        PoolError, match=r"^2 minutes of music need about \d+ MB while .* and 5 MB are free at .*; free some"
    ):
        build_pool([tmp_path / "music"], out, quick_settings(edge_s=1.0))
    assert list((out / "analysis").iterdir()) == []


def test_a_full_disk_loses_nothing(tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As when others fill the disk meanwhile.
    monkeypatch.setattr(tools.pools.columns.disk, "_TIMES", 0)
    music = tmp_path / "music"
    write_music(music, [f"{number}.wav" for number in range(20)])
    out = disk / "pool"
    settings = quick_settings(edge_s=1.0)
    first = build_pool([music / "0.wav", music / "1.wav"], out, settings)
    with pytest.raises(PoolError, match=r"cannot be written .*free some space and build again"):
        build_pool([music], out, settings)
    assert open_pool(out).generation == first.generation
    assert not list(out.rglob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    report = build_pool([music], out, settings)
    assert report.songs == 20
    assert report.reused > 2
    assert check_pool(out) == []


@pytest.mark.parametrize("foreseen", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_costs_the_copy_and_not_the_song(
    jobs: int,
    foreseen: bool,
    tmp_path: Path,
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not foreseen:
        # As when others fill the disk meanwhile: it runs full while the copy is written.
        empty = SimpleNamespace(disk_usage=lambda folder: SimpleNamespace(free=2**40))
        monkeypatch.setattr(tools.pools.tasks, "shutil", empty)
    songs = write_music(tmp_path / "music", ["a.wav", "b.ogg"], seconds=20, rate_hz=44_100)
    settings = quick_settings(jobs=jobs, edge_s=0.1)
    report = build_pool(songs, disk / "pool", settings)
    assert (report.songs, report.without_copy, report.failed) == (2, 1, ())
    assert not list(disk.rglob("*.part"))
    assert check_pool(disk / "pool") == []
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    monkeypatch.setattr(tools.pools.tasks, "KEPT_FREE_BYTES", 0)
    assert build_pool(songs, disk / "pool", settings).without_copy == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits on Windows")
def test_a_file_size_limit_is_told_in_one_sentence(tmp_path: Path, music: Path, out: Path) -> None:
    import resource

    limit = 30_000  # bytes: the database of an empty pool does not fit

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with _start(tmp_path, str(music), str(out), "1", preexec_fn=limited) as build:
        assert build.stdout is not None
        text = build.stdout.read()
    assert "sentence:" in text
    assert "; free some space " in text
    assert build_pool([music], out, quick_settings()).songs == 4


def test_an_array_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.npy"
    target.write_bytes(b"old")

    def full(file: object, dtype: object, shape: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tools.pools.place, "begin_array", full)
    with pytest.raises(PoolError, match=r"\(No space left on device\); free some space"), storing(tmp_path):
        save_array(target, np.zeros((2, 2)))
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
