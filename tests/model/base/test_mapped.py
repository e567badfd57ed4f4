"""Rows in an order of their own are those of the array in the file, however they are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.base.mapped import StoredRows, give_back, where_stored


@pytest.fixture
def rows(tmp_path: Path) -> StoredRows:
    values = np.random.default_rng(0).normal(size=(20, 2, 5)).astype(np.float16)
    np.save(tmp_path / "a.npy", values)
    order = np.random.default_rng(1).permutation(20)[:12]
    return StoredRows(np.load(tmp_path / "a.npy", mmap_mode="r"), order)


@pytest.mark.parametrize(
    "key",
    [
        3,
        slice(2, 7),
        np.array([5, 1, 1]),
        (4, 1),
        (slice(0, 5), 1),
        (np.array([5, 1]), 0),
        (np.array([5, 1]), 0, slice(1, 3)),
        (slice(None), 1, slice(2, None)),
        (slice(None), 0, slice(0, 3), None),
        (slice(None), slice(None), slice(0, 3)),
        slice(None),
        np.arange(12) % 2 == 0,
    ],
)
def test_it_is_indexed_as_an_array(rows: StoredRows, key: Any) -> None:
    expected = np.asarray(rows)[key]
    found = rows[key]
    assert found.shape == expected.shape and found.dtype == expected.dtype
    np.testing.assert_array_equal(np.asarray(found), expected)


def test_a_part_of_every_row_reads_nothing(rows: StoredRows) -> None:
    part = rows[:, 0, 1:]
    assert isinstance(part, StoredRows)
    assert np.shares_memory(part.stored, rows.stored)
    assert (len(part), part.nbytes) == (12, 12 * 4 * 2)
    np.testing.assert_array_equal(part[3], np.asarray(rows)[3, 0, 1:])
    assert np.asarray(part, dtype=np.float32).dtype == np.float32


def test_a_kernel_is_told_where_rows_are(rows: StoredRows) -> None:
    wanted = np.array([4, 0])
    array, places = where_stored(rows, wanted)
    np.testing.assert_array_equal(array[places], rows[wanted])
    plain = np.arange(9)
    assert where_stored(plain, wanted) == (plain, wanted) or where_stored(plain, wanted)[0] is plain


def test_it_can_be_given_back(rows: StoredRows) -> None:
    before = np.asarray(rows)
    give_back(rows)
    give_back(rows[:, 0])
    np.testing.assert_array_equal(np.asarray(rows), before)
