"""This compiled callback notes when PortAudio called it, and lets the sound card's own do the work."""

import ctypes
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

from model.base.arrays import DoubleArray, IntArray

_POINTER = ctypes.c_void_p


class CallbackTimes:
    """When a callback was called, by PortAudio's clock in seconds; the first `capacity` times."""

    def __init__(self, inner_address: int, capacity: int) -> None:
        """inner_address: of the `PaStreamCallback` that plays."""
        self._count: IntArray = np.zeros(1, dtype=np.int64)
        self._times_s: DoubleArray = np.zeros(capacity, dtype=np.float64)
        self._callback = _timed(inner_address, self._count.ctypes.data, self._times_s.ctypes.data, capacity)

    @property
    def address(self) -> int:
        """The callback's address, valid as long as this lives."""
        return int(self._callback.address)

    def count(self) -> int:
        """Return how many calls have been noted."""
        return int(self._count[0])

    def since(self, first: int) -> DoubleArray:
        """Return the times from call `first` on."""
        return self._times_s[first : self.count()].copy()


def _as_pointer(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


# In kernels: the pointer of an address.
_pointer = cast(Callable[[int], Any], intrinsic(_as_pointer))


def _timed(inner_address: int, count_address: int, times_address: int, capacity: int) -> Any:
    unsigned_long = types.Integer.from_bitwidth(8 * ctypes.sizeof(ctypes.c_ulong), signed=False)
    pointer = types.voidptr
    signature = types.intc(pointer, pointer, unsigned_long, pointer, unsigned_long, pointer)
    long = ctypes.c_ulong
    inner = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, long, _POINTER, long, _POINTER)(inner_address)

    def callback(source: Any, output: Any, frames: int, time_info: Any, flags: int, memory: Any) -> Any:
        count = carray(_pointer(count_address), (1,), np.int64)
        times_s = carray(_pointer(times_address), (capacity,), np.float64)
        if count[0] < capacity:
            # PaStreamCallbackTimeInfo: input time, the time of this call, output time.
            times_s[count[0]] = carray(time_info, (3,), np.float64)[1]
            count[0] += 1
        return inner(source, output, frames, time_info, flags, memory)

    return cfunc(signature)(callback)
