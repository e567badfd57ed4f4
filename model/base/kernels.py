"""The decorator `kernel` compiles numba code without the GIL, cached on disk, with exact floating point."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import ParamSpec, TypeVar, cast

import numba

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
    """Compile `function` with numba: `nogil`, cached, without fast-math, so results are reproducible."""
    return cast(Callable[Params, _Result], numba.njit(nogil=True, cache=True)(function))


def kernel_cache_folder() -> Path:
    """Return where compiled kernels are kept: `NUMBA_CACHE_DIR`, else beside the modules that have them."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).with_name("__pycache__"))
