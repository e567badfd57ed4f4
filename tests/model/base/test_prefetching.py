"""To ask for rows beforehand changes nothing, wherever they are, and is refused where it makes no sense."""

import numpy as np
import pytest
from numba.core.errors import TypingError

from model.base.prefetching import ROWS_AHEAD, prefetch_row


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize("row", [0, 2, 3, 3 + ROWS_AHEAD, 10**9, -(10**9)])
def test_rows_that_are_there_and_rows_that_are_not_may_be_asked_for(dtype: type, row: int) -> None:
    rows = np.arange(3 * 112, dtype=np.int64).astype(dtype).reshape(3, 112)
    before = rows.copy()
    prefetch_row(rows, row)
    assert np.array_equal(rows, before)


def test_what_is_not_in_one_piece_is_refused() -> None:
    with pytest.raises(TypingError, match="a contiguous array is prefetched"):
        prefetch_row(np.zeros((4, 8))[:, ::2], 0)
