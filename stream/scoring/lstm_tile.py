"""This kernel multiplies a tile of two matrices in vector registers, the split scorer's inner loop.

NumPy's and onnxruntime's products are as fast, but come back to Python (and to its global lock) between two
steps of an LSTM, and write what the gates need to memory and read it again. numba's own loops do not keep a
tile in registers, so this one is written in LLVM's vector types; everything around it is plain numba.
"""

import platform
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from model.base.arrays import FloatArray

GATES = 4


def _tile_shape() -> tuple[int, int]:
    """Return lanes of a vector and rows of a tile, so that 4 x rows vectors fit into this CPU's registers."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 16, 6
    if features.get("avx2"):
        return 8, 2
    return 4, 6 if platform.machine() in ("arm64", "aarch64") else 2


# numba caches a kernel by its own file and the CPU: after a change here, touch
# `stream/scoring/recurrence.py`.
LANES, TILE_ROWS = _tile_shape()
TILE_COLUMNS = GATES * LANES

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FLOAT_BYTES = 4


def _function(builder: ir.IRBuilder, shape: ir.FunctionType, name: str) -> Any:
    return cast(Any, cgutils).get_or_insert_function(builder.module, shape, name)


def _data(context: Any, builder: ir.IRBuilder, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _check(array: Any, dimensions: int) -> None:
    if not (
        isinstance(array, types.Array)
        and array.ndim == dimensions
        and array.dtype == types.float32
        and array.layout == "C"
    ):
        raise TypingError(f"expected a contiguous float32 array of {dimensions} dimensions, not {array}")


def _multiply_add(typing_context: Any, factor: Any, other: Any, addend: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        shape = ir.FunctionType(_FLOAT, [_FLOAT] * 3)
        return builder.call(_function(builder, shape, "llvm.fmuladd.f32"), args)

    return types.float32(types.float32, types.float32, types.float32), generate


def _divide(typing_context: Any, above: Any, below: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return builder.fdiv(args[0], args[1])

    return types.float32(types.float32, types.float32), generate


def _fetch(typing_context: Any, table: Any, row: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        index = args[1].type
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = _function(builder, shape, "llvm.prefetch.p0")
        base = _data(context, builder, signature.args[0], args[0])
        size = 2 * TILE_COLUMNS
        base = builder.gep(base, [builder.mul(args[1], ir.Constant(index, size))])
        for line in range(0, size, 16):
            address = builder.bitcast(builder.gep(base, [ir.Constant(index, line)]), byte)
            builder.call(prefetch, [address, *(ir.Constant(flag, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


def _add_product(
    typing_context: Any, tile: Any, rows: Any, first_row: Any, panels: Any, panel: Any, depth: Any
) -> Any:
    for array, dimensions in ((tile, 2), (rows, 2), (panels, 3)):
        _check(array, dimensions)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        index = args[5].type
        depth = args[5]

        def number(value: int) -> ir.Constant:
            return ir.Constant(index, value)

        def vector_at(base: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(base, [offset]), _VECTOR.as_pointer())

        def broadcast(scalar: Any) -> Any:
            undefined = ir.Constant(_VECTOR, ir.Undefined)
            first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, undefined, lanes)

        tile_base, rows_base, panels_base = (
            _data(context, builder, signature.args[place], args[place]) for place in (0, 1, 3)
        )
        rows_base = builder.gep(rows_base, [builder.mul(args[2], depth)])
        panel_size = builder.mul(depth, number(TILE_COLUMNS))
        panels_base = builder.gep(panels_base, [builder.mul(args[4], panel_size)])
        shape = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        multiply_add = _function(builder, shape, f"llvm.fmuladd.v{LANES}f32")
        places = [(row, gate) for row in range(TILE_ROWS) for gate in range(GATES)]
        sums_at = {
            (row, gate): vector_at(tile_base, number(row * TILE_COLUMNS + gate * LANES))
            for row, gate in places
        }
        start = {place: builder.load(sums_at[place], align=_FLOAT_BYTES) for place in places}

        before = builder.block
        loop, after = builder.append_basic_block("product"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        step = builder.phi(index)
        step.add_incoming(number(0), before)
        sums = {place: builder.phi(_VECTOR) for place in places}
        columns = builder.mul(step, number(TILE_COLUMNS))
        weights = [
            builder.load(
                vector_at(panels_base, builder.add(columns, number(gate * LANES))), align=_FLOAT_BYTES
            )
            for gate in range(GATES)
        ]
        added = {}
        for row in range(TILE_ROWS):
            offset = builder.add(builder.mul(depth, number(row)), step)
            value = broadcast(builder.load(builder.gep(rows_base, [offset])))
            for gate in range(GATES):
                added[row, gate] = builder.call(multiply_add, [weights[gate], value, sums[row, gate]])
        following = builder.add(step, number(1))
        step.add_incoming(following, loop)
        for place in places:
            sums[place].add_incoming(start[place], before)
            sums[place].add_incoming(added[place], loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
        builder.position_at_end(after)
        for place in places:
            builder.store(added[place], sums_at[place], align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(tile, rows, types.intp, panels, types.intp, types.intp), generate


# All only in kernels, with shapes as stated: nothing is checked there.
multiply_add = cast(Callable[[np.float32, np.float32, np.float32], np.float32], intrinsic(_multiply_add))
"""`factor * other + addend` in float32, rounded once where the CPU can."""
divide = cast(Callable[[np.float32, np.float32], np.float32], intrinsic(_divide))
"""`above / below` in float32, infinite or NaN where `below` is 0: no check that keeps a loop from vectors."""
fetch = cast(Callable[[FloatArray, int], None], intrinsic(_fetch))
"""Bring `table[row]` into the cache, table: `(n, 2, TILE_COLUMNS)`."""
add_product = cast(
    Callable[[FloatArray, FloatArray, int, FloatArray, int, int], None], intrinsic(_add_product)
)
"""`tile += rows[first_row : first_row + TILE_ROWS] @ panels[panel]`, summed in the order of the depth.

tile: `(TILE_ROWS, TILE_COLUMNS)`; rows: `(n, depth)`; panels: `(m, depth, TILE_COLUMNS)`; depth at least 1.
The result of a row depends neither on its place in the tile nor on its neighbours.
"""
