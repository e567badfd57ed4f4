"""Rows in an order of their own are those of the array in the file, and what cannot be read is a sentence."""

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.base import stored_rows
from model.base.array_files import ArrayFile, ArrayFileError
from model.base.arrays import BoolArray
from model.base.errors import PoolError
from model.base.stored_rows import StoredRows, in_slices

ORDER = np.random.default_rng(1).permutation(20)[:12]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).normal(size=(20, 2, 5)).astype(np.float16)
    np.save(tmp_path / "a.npy", values)
    return tmp_path / "a.npy"


@pytest.fixture
def rows(path: Path) -> StoredRows:
    return StoredRows(ArrayFile.of(path), ORDER, "make it again")


@pytest.fixture(
    params=["one call for all", "a call for each", "many, in memory", "many, half of them on the disk"],
    autouse=True,
)
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As elsewhere, as on Windows, and as many rows are read."""
    monkeypatch.setattr(stored_rows, "_HAS_PREAD", request.param != "a call for each")
    if request.param.startswith("many"):
        monkeypatch.setattr(stored_rows, "MANY_ROWS", 1)
    if request.param.endswith("disk"):
        read_at_hand = stored_rows._read_at_hand

        def half_at_hand(*asked: Any) -> BoolArray:
            left, found = read_at_hand(*asked), asked[4]
            left[::2], found[::2] = True, 255
            return left

        monkeypatch.setattr(stored_rows, "_read_at_hand", half_at_hand)


@pytest.mark.parametrize(
    "key",
    [
        3,
        slice(2, 7),
        slice(3, 3),
        np.array([5, 1, 1]),
        (4, 1),
        (4, 1, 2),
        (slice(0, 5), 1),
        (np.array([5, 1]), 0),
        (np.array([5, 1]), 0, slice(1, 3)),
        (np.array([5, 1]), slice(None), slice(None, None, -2)),
        (slice(None), 1, slice(2, None)),
        (slice(None), 0, slice(0, 3), None),
        (slice(None), slice(None), slice(0, 3)),
        (slice(None), 1, 4),
        slice(None),
        np.arange(12) % 2 == 0,
    ],
)
def test_it_is_indexed_as_an_array(path: Path, rows: StoredRows, key: Any) -> None:
    in_a_row = range(3, 15)
    for found_rows, places in ((rows, ORDER), (StoredRows(ArrayFile.of(path), in_a_row, ""), [*in_a_row])):
        expected = np.load(path)[places][key]
        found = found_rows[key]
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("key", [12, np.array([0, 12]), np.array([-13]), np.ones(11, dtype=np.bool_)])
def test_what_is_not_there_is_an_error(path: Path, key: Any) -> None:
    with pytest.raises(IndexError):
        StoredRows(ArrayFile.of(path), range(3, 15), "")[key]


def test_rows_that_follow_each_other_are_read_at_once_up_to_what_is_damaged(path: Path) -> None:
    rows = StoredRows(ArrayFile.of(path), range(20), "make it again")
    np.testing.assert_array_equal(rows[np.array([3, 4, 5, 9, 8, 9])], np.load(path)[[3, 4, 5, 9, 8, 9]])
    os.truncate(path, path.stat().st_size - 4 * 20)
    assert len(rows[:16]) == 16
    with pytest.raises(PoolError, match="shorter than the database says"):
        np.asarray(rows)


def test_a_part_of_every_row_reads_nothing_and_no_more_than_itself(path: Path, rows: StoredRows) -> None:
    part = rows[:, 0, 1:]
    assert isinstance(part, StoredRows)
    assert (len(part), part.nbytes) == (12, 12 * 4 * 2)
    np.testing.assert_array_equal(part[3], np.load(path)[ORDER][3, 0, 1:])
    assert np.asarray(part, dtype=np.float32).dtype == np.float32
    again = part[:, ::2]
    np.testing.assert_array_equal(again[2:4], np.load(path)[ORDER][2:4, 0, 1::2])
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - (19 - ORDER.max()) * 20 - 10)  # half of the last that is shown
    last = int(ORDER.argmax())
    assert np.isfinite(rows[last, 0]).all()
    with pytest.raises(PoolError):
        rows[last, 1]


def test_of_a_row_only_a_view_can_be_read(rows: StoredRows) -> None:
    with pytest.raises(TypeError, match="numbers and slices"):
        rows[:, np.array([1, 0])]


def test_a_kernel_gets_slices_that_are_read_for_it(rows: StoredRows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = np.array([4, 0, 11, 4, 7])
    expected = rows[wanted]
    plain = np.arange(9)
    ((part, held, places),) = in_slices(plain, wanted[:2])
    assert held is plain and places.tolist() == [4, 0] and part == slice(0, 2)
    for size_bytes, slices in ((1, 5), (2 * 2 * 5 * 2, 3), (1 << 20, 1)):
        monkeypatch.setattr(stored_rows, "SLICE_BYTES", size_bytes)
        found = np.zeros_like(expected)
        read = list(in_slices(rows, wanted))
        for part, array, places in read:
            assert not array.flags.writeable and array.flags.c_contiguous
            found[part] = array[places]
        assert len(read) == slices
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("key", [0, slice(None, 3), np.array([1, 0]), (0, 1, 2)])
def test_a_file_that_is_shortened_while_it_is_open_is_a_sentence(
    path: Path, rows: StoredRows, key: Any
) -> None:
    with path.open("r+b") as file:
        file.truncate(140)
    with pytest.raises(PoolError, match=r"a\.npy cannot be read \(it is damaged: .*\); make it again"):
        np.asarray(rows[key])
    with pytest.raises(PoolError):
        np.asarray(rows)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file whose reads fail")
def test_a_disk_that_fails_is_a_sentence(path: Path, rows: StoredRows) -> None:
    # Nothing is mapped at its beginning, so that a read there is an input/output error.
    os.dup2(os.open("/proc/self/mem", os.O_RDONLY), rows._file._descriptor)
    with pytest.raises(PoolError, match=r"a\.npy cannot be read \(Input/output error\); make it again"):
        rows[np.array([1, 0])]


def test_it_is_open_for_as_long_as_a_part_of_it_is(path: Path) -> None:
    rows = StoredRows(ArrayFile.of(path), ORDER, "")
    descriptor, part = rows._file._descriptor, rows[:, 0]
    del rows
    gc.collect()
    assert np.isfinite(part[0]).all()
    del part
    gc.collect()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


def test_a_file_that_is_gone_is_an_error(path: Path) -> None:
    file = ArrayFile.of(path)
    path.unlink()
    with pytest.raises(ArrayFileError, match="No such file"):
        StoredRows(file, ORDER, "")
