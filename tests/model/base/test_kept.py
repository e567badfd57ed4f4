"""What stood in a file's place is kept under a name of its own, and a file has one writer at a time."""

import os
import re
import time
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from model.base.kept import held_to_write, set_aside, unused

TAKEN = EndlosError("somebody else is at it")


def test_a_file_is_set_aside_under_the_time_it_was_last_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    at_s = time.mktime((2026, 12, 1, 4, 6, 11, 0, 0, -1))
    kept = []
    for text in ("first", "second", "third"):
        path.write_text(text)
        os.utime(path, (at_s, at_s))
        kept.append(set_aside(path))
        assert not path.exists()
    names = ("run.20261201-040611.jsonl", "run.20261201-040611-2.jsonl", "run.20261201-040611-3.jsonl")
    assert kept == [tmp_path / name for name in names]
    assert [(tmp_path / name).read_text() for name in names] == ["first", "second", "third"]


def test_a_link_stays_and_its_file_is_set_aside_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    file, link = tmp_path / "disk" / "run.jsonl", tmp_path / "link"
    file.write_text("kept")
    link.symlink_to(file)
    kept = set_aside(link)
    assert kept is not None and kept.parent == file.parent and kept.read_text() == "kept"
    assert re.fullmatch(r"run\.\d{8}-\d{6}\.jsonl", kept.name)
    assert link.is_symlink() and not file.exists()


def test_what_holds_nothing_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert set_aside(path) is None
    path.touch()
    assert set_aside(path) is None and set_aside(tmp_path) is None and set_aside(Path(os.devnull)) is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    path = tmp_path / "night.incomplete.flac"
    for name in ("night.incomplete.flac", "night.incomplete-2.flac", "night.incomplete-3.flac"):
        assert unused(path) == tmp_path / name
        (tmp_path / name).touch()


def test_a_file_has_one_writer_by_whatever_name_and_no_lock_stays(tmp_path: Path) -> None:
    path, link = tmp_path / "run.jsonl", tmp_path / "link"
    link.symlink_to(path)
    for _ in range(2):
        with held_to_write(path, TAKEN):
            for name in (path, link):
                with pytest.raises(EndlosError, match="somebody else"), held_to_write(name, TAKEN):
                    pass
            assert (tmp_path / "run.jsonl.lock").exists()
        assert list(tmp_path.iterdir()) == [link]


def test_a_file_that_is_called_as_the_lock_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "run.jsonl.lock"
    other.write_text("a letter")
    with held_to_write(tmp_path / "run.jsonl", TAKEN):
        pass
    assert other.read_text() == "a letter"


def test_a_device_takes_many_and_a_folder_that_is_not_there_none(tmp_path: Path) -> None:
    device = Path(os.devnull)
    with held_to_write(device, TAKEN), held_to_write(device, TAKEN):
        assert not device.with_name(f"{device.name}.lock").exists()
    with held_to_write(tmp_path / "gone" / "run.jsonl", TAKEN):
        pass
