"""Acquire loads and release stores on int64 arrays let two threads share memory without a lock."""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from model.base.arrays import IntArray

INT64_BYTES = 8


def _check(array: Any, index: Any) -> None:
    if not (isinstance(array, types.Array) and array.ndim == 1 and array.dtype == types.int64):
        raise TypingError(f"atomics need a one-dimensional int64 array, not {array}")
    if array.layout != "C":
        raise TypingError(f"atomics need a contiguous array, not {array}")
    if not isinstance(index, types.Integer):
        raise TypingError(f"atomics need an integer index, not {index}")


def _pointer(context: Any, builder: Any, signature: Any, array: Any, index: Any) -> Any:
    array_type, index_type = signature.args[:2]
    index = context.cast(builder, index, index_type, types.intp)
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _load_acquire(typing_context: Any, array: Any, index: Any) -> Any:
    _check(array, index)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature, args[0], args[1])
        return builder.load_atomic(pointer, ordering="acquire", align=INT64_BYTES)

    return types.int64(array, index), generate


def _store_release(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    _check(array, index)
    if not isinstance(value, types.Integer):
        raise TypingError(f"atomics store integers, not {value}")

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature, args[0], args[1])
        wide = context.cast(builder, args[2], signature.args[2], types.int64)
        builder.store_atomic(wide, pointer, ordering="release", align=INT64_BYTES)
        return context.get_dummy_value()

    return types.void(array, index, value), generate


# Both only in kernels; the array is `(n,)` int64, the index within bounds and not negative.
load_acquire = cast(Callable[[IntArray, int], int], intrinsic(_load_acquire))
"""`array[index]`; what its writer stored before it is visible afterwards."""
store_release = cast(Callable[[IntArray, int, int], None], intrinsic(_store_release))
"""`array[index] = value`; what was stored before it is visible to whoever sees the value."""
