"""These types name arrays by what they hold."""

from typing import Any

import numpy as np
import numpy.typing as npt

HalfArray = npt.NDArray[np.float16]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.signedinteger[Any]]
"""Whole numbers, int64 unless it is said otherwise."""
RowArray = npt.NDArray[np.int32]
"""Of whole numbers that each chunk of a pool has one of, and of which there are a million."""
BoolArray = npt.NDArray[np.bool_]
