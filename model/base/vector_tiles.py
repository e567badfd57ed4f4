"""These kernels multiply tiles of two matrices in vector registers, the inner loop of each LSTM of ours.

NumPy's and onnxruntime's products are as fast, but come back to Python (and to its global lock) between two
steps of an LSTM, and write what the gates need to memory and read it again. numba's own loops do not keep a
tile in registers, so this one is written in LLVM's vector types; everything around it is plain numba.
"""

import platform
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from model.base.arrays import FloatArray
from model.base.kernels import kernel

AddProduct: TypeAlias = Callable[[FloatArray, int, int, FloatArray, int, FloatArray, int], None]


def _lanes() -> int:
    features = binding.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx2") else 4


LANES = _lanes()
"""Numbers of float32 that a vector register of this CPU holds."""
MANY_REGISTERS = LANES == 16 or platform.machine() in ("arm64", "aarch64")
"""Whether this CPU has 32 vector registers instead of 16."""

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FLOAT_BYTES = 4


def add_product_of(tile_rows: int, vectors: int) -> AddProduct:
    """Return what multiplies tiles of `tile_rows` times `vectors * LANES`, which must fit into registers.

    What is returned is called in kernels alone, as `add(out, row, column, rows, first_row, panels, panel)`:
    `out[row:, column:] += rows[first_row:] @ panels[panel]` for one tile, with shapes as stated, as nothing
    is checked there. out: `(n, m)`; rows: `(k, depth)`; panels: `(p, depth, vectors * LANES)`, depth
    at least 1; contiguous float32. Summed in the order of the depth: the result of a row depends neither on
    its place in the tile nor on its neighbours.
    """

    def add(
        typing_context: Any,
        out: Any,
        row: Any,
        column: Any,
        rows: Any,
        first_row: Any,
        panels: Any,
        panel: Any,
    ) -> Any:
        for array, dimensions in ((out, 2), (rows, 2), (panels, 3)):
            _check(array, dimensions)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            (out_base, width), (rows_base, depth), (panels_base, _) = (
                _data(context, builder, signature.args[place], args[place]) for place in (0, 3, 5)
            )
            start = builder.add(builder.mul(args[1], width), args[2])
            panel_size = builder.mul(depth, ir.Constant(depth.type, vectors * LANES))
            _multiply(
                builder,
                (tile_rows, vectors),
                builder.gep(out_base, [start]),
                width,
                builder.gep(rows_base, [builder.mul(args[4], depth)]),
                builder.gep(panels_base, [builder.mul(args[6], panel_size)]),
                depth,
            )
            return context.get_dummy_value()

        index = types.intp
        return types.void(out, index, index, rows, index, panels, index), generate

    return cast(AddProduct, intrinsic(add))


def _multiply(
    builder: ir.IRBuilder,
    shape: tuple[int, int],
    out: Any,
    width: Any,
    rows: Any,
    panel: Any,
    depth: Any,
) -> None:
    """Generate the loop over the depth, with the tile in registers."""
    tile_rows, vectors = shape
    places = [(row, vector) for row in range(tile_rows) for vector in range(vectors)]

    def number(value: int) -> ir.Constant:
        return ir.Constant(depth.type, value)

    def vector_at(base: Any, offset: Any) -> Any:
        return builder.bitcast(builder.gep(base, [offset]), _VECTOR.as_pointer())

    sums_at = {
        (row, vector): vector_at(out, builder.add(builder.mul(number(row), width), number(vector * LANES)))
        for row, vector in places
    }
    start = {place: builder.load(sums_at[place], align=_FLOAT_BYTES) for place in places}
    function = function_of(builder, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32")

    before = builder.block
    loop, after = builder.append_basic_block("product"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(depth.type)
    step.add_incoming(number(0), before)
    sums = {place: builder.phi(_VECTOR) for place in places}
    columns = builder.mul(step, number(vectors * LANES))
    weights = [
        builder.load(vector_at(panel, builder.add(columns, number(vector * LANES))), align=_FLOAT_BYTES)
        for vector in range(vectors)
    ]
    added = {}
    for row in range(tile_rows):
        offset = builder.add(builder.mul(depth, number(row)), step)
        value = _broadcast(builder, builder.load(builder.gep(rows, [offset])))
        for vector in range(vectors):
            added[row, vector] = builder.call(function, [weights[vector], value, sums[row, vector]])
    following = builder.add(step, number(1))
    step.add_incoming(following, loop)
    for place in places:
        sums[place].add_incoming(start[place], before)
        sums[place].add_incoming(added[place], loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    builder.position_at_end(after)
    for place in places:
        builder.store(added[place], sums_at[place], align=_FLOAT_BYTES)


def _broadcast(builder: ir.IRBuilder, scalar: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, lanes)


def function_of(builder: ir.IRBuilder, shape: ir.FunctionType, name: str) -> Any:
    """Return the function of LLVM that has a name and a shape."""
    return cast(Any, cgutils).get_or_insert_function(builder.module, shape, name)


def _data(context: Any, builder: ir.IRBuilder, array_type: Any, array: Any) -> tuple[Any, Any]:
    """Return where an array's values begin, and the length of its last axis."""
    found = context.make_array(array_type)(context, builder, array)
    return found.data, builder.extract_value(found.shape, array_type.ndim - 1)


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
        return builder.call(function_of(builder, shape, "llvm.fmuladd.f32"), args)

    return types.float32(types.float32, types.float32, types.float32), generate


def _divide(typing_context: Any, above: Any, below: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return builder.fdiv(args[0], args[1])

    return types.float32(types.float32, types.float32), generate


# Both only in kernels.
multiply_add = cast(Callable[[np.float32, np.float32, np.float32], np.float32], intrinsic(_multiply_add))
"""`factor * other + addend` in float32, rounded once where the CPU can."""
divide = cast(Callable[[np.float32, np.float32], np.float32], intrinsic(_divide))
"""`above / below` in float32, infinite or NaN where `below` is 0: no check that keeps a loop from vectors."""


@kernel
def sigmoid_of_twice(half: np.float32) -> np.float32:
    """Return `1 / (1 + exp(-2 * half))` to 4e-7."""
    return np.float32(multiply_add(np.float32(0.5), tanh(half), np.float32(0.5)))


@kernel
def tanh(x: np.float32) -> np.float32:
    """Hyperbolic tangent to 4e-7: a quotient of polynomials, fitted to least relative error on [-9, 9]."""
    x = np.float32(9.0) if x > np.float32(9.0) else x
    x = np.float32(-9.0) if x < np.float32(-9.0) else x
    square = x * x
    above = np.float32(1.33545521e-08)
    above = multiply_add(above, square, np.float32(2.06090005e-05))
    above = multiply_add(above, square, np.float32(3.49558308e-03))
    above = multiply_add(above, square, np.float32(1.33810214e-01))
    above = multiply_add(above, square, np.float32(1.0))
    below = np.float32(7.77651259e-07)
    below = multiply_add(below, square, np.float32(3.28562661e-04))
    below = multiply_add(below, square, np.float32(2.58769630e-02))
    below = multiply_add(below, square, np.float32(4.67143370e-01))
    below = multiply_add(below, square, np.float32(1.0))
    return np.float32(x * divide(above, below))
