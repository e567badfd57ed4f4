"""The decorator `kernel` compiles numba code without the GIL, kept on disk, with exact floating point."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from model.base.kernel_cache import caching
from model.base.lean_numba import numba

Params = ParamSpec("Params")
_Result = TypeVar("_Result")


def kernel(function: Callable[Params, _Result]) -> Callable[Params, _Result]:
    """Compile `function` with numba: `nogil`, without fast-math, so results are reproducible.

    What is compiled is kept on disk until a source that it may depend on changes (`model.base.kernel_cache`).
    """
    with caching(function) as kept:
        return cast(Callable[Params, _Result], numba.njit(nogil=True, cache=kept)(function))
