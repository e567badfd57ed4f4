"""This module turns float audio into whole numbers, the same way wherever samples are written as they are."""

import numpy as np
from numpy.typing import NDArray

from model.base.arrays import FloatArray


def whole_samples(block: FloatArray, bits: int) -> NDArray[np.int32]:
    """Return `(frames, 2)` float32 as whole numbers of so many bits: rounded, and clipped at full scale."""
    full = 1 << (bits - 1)
    return np.clip(np.rint(block.astype(np.float64) * full), -full, full - 1).astype(np.int32)


def beyond_full_scale(block: FloatArray) -> int:
    """Return how many samples are clipped in that."""
    return int(np.count_nonzero(np.abs(block) > 1.0))
