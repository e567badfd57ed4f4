"""The decorator `kernel` compiles numba code without the GIL, kept on disk, with exact floating point."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import ParamSpec, TypeVar, cast

import numba

from model.base.kernel_cache import caching

Params = ParamSpec("Params")
_Result = TypeVar("_Result")

_BLAS = "scipy.linalg.cython_blas"
if _BLAS not in sys.modules:
    # numba would import all of SciPy's linear algebra, 0.2 to 0.4 s of every start, for products of matrices,
    # which no kernel has. What stands for None cannot be imported.
    sys.modules[_BLAS] = cast(ModuleType, None)
    try:
        import numba.np.arraymath
    finally:
        del sys.modules[_BLAS]


def kernel(function: Callable[Params, _Result]) -> Callable[Params, _Result]:
    """Compile `function` with numba: `nogil`, without fast-math, so results are reproducible.

    What is compiled is kept on disk until a source that it may depend on changes (`model.base.kernel_cache`).
    """
    with caching(function) as kept:
        return cast(Callable[Params, _Result], numba.njit(nogil=True, cache=kept)(function))
