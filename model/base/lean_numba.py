"""This module imports numba without what no kernel needs, which takes part of every start.

Whoever is the first to need numba imports it from here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

__all__ = ["numba"]

_UNUSED = ("cffi", "scipy.linalg.cython_blas", "yaml")
"""For functions of C in kernels a parser of C is made, for products of matrices all of SciPy's linear algebra
is loaded (200 to 400 ms), YAML is for a file of settings: no kernel has the first two, nobody the third."""


@contextmanager
def _without_the_unused() -> Iterator[None]:
    """Have nothing of it imported."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        # What stands for None cannot be imported, and numba does without.
        sys.modules[name] = cast(ModuleType, None)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _without_the_unused():
    import numba
    import numba.core.typing.cffi_utils
    import numba.np.arraymath
