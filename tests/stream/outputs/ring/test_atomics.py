"""The atomics compile to acquire loads and release stores, and read what was written."""

import re

import numba
import numpy as np
import pytest

from model.base.arrays import IntArray
from stream.outputs.ring.atomics import load_acquire, store_release


@numba.njit
def _take(array: IntArray, slot: int) -> int:
    return load_acquire(array, slot)


@numba.njit
def _put(array: IntArray, slot: int, value: int) -> None:
    store_release(array, slot, value)


def test_they_load_and_store_and_are_ordered_on_every_processor() -> None:
    array = np.arange(8, dtype=np.int64)
    _put(array, 3, -(1 << 60))
    assert array.tolist() == [0, 1, 2, -(1 << 60), 4, 5, 6, 7]
    assert _take(array, 3) == -(1 << 60)
    # On x86 every access is ordered; elsewhere only what says so.
    assert re.search(r"load atomic i64, .* acquire, align 8", *_take.inspect_llvm().values())
    assert re.search(r"store atomic i64 .* release, align 8", *_put.inspect_llvm().values())


@pytest.mark.parametrize(
    "array", [np.zeros(4, dtype=np.int32), np.zeros((2, 2), dtype=np.int64), np.zeros(8, dtype=np.int64)[::2]]
)
def test_what_they_cannot_do_is_refused_by_the_compiler(array: IntArray) -> None:
    with pytest.raises(numba.TypingError, match="atomics need a"):
        _take(array, 0)
