"""One typed way to compile a numba kernel: no GIL, cached on disk, exact floating point."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Params = ParamSpec("Params")
Result = TypeVar("Result")

HalfArray = npt.NDArray[np.float16]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def kernel(function: Callable[Params, Result]) -> Callable[Params, Result]:
    """Compile `function` with numba: `nogil`, cached, without fast-math, so results are reproducible."""
    return cast(Callable[Params, Result], numba.njit(nogil=True, cache=True)(function))
