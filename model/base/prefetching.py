"""A prefetch has the processor fetch rows of an array from memory some time before a kernel comes to them.

Where a row is reckoned for longer than it takes to read it, the processor does not look far enough ahead by
itself, and waits for memory at nearly each row.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from model.base.kernels import kernel

CACHE_LINE_BYTES = 64
ROWS_AHEAD = 16
"""So much earlier a row of some hundred bytes is asked for: 8 to 128 do as well."""


def _prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
    if not (isinstance(array, types.Array) and array.layout == "C" and isinstance(offset, types.Integer)):
        raise TypingError(f"a contiguous array is prefetched, at whole bytes, not {array} at {offset}")

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        number, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        begin = builder.bitcast(context.make_array(signature.args[0])(context, builder, args[0]).data, byte)
        place = builder.gep(begin, [context.cast(builder, args[1], signature.args[1], types.intp)])
        fetch = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        # To read it, into all caches, and as data.
        how = [ir.Constant(number, value) for value in (0, 3, 1)]
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [byte], fetch), [place, *how])
        return context.get_dummy_value()

    return types.void(array, offset), generate


_fetch = cast(Callable[[npt.NDArray[Any], int], None], intrinsic(_prefetch))


@kernel
def prefetch_row(rows: npt.NDArray[Any], row: int) -> None:
    """Have a row of `rows` `(n, values)` fetched; one past the end is no fault, and nothing comes of it."""
    size = rows.shape[1] * rows.itemsize
    for line in range(0, size, CACHE_LINE_BYTES):
        _fetch(rows, row * size + line)
