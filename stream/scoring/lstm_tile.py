"""The split scorer multiplies a tile at once, of some candidates and the four gates of some units."""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from model.base.arrays import FloatArray
from model.base.vector_tiles import LANES, MANY_REGISTERS, add_product_of, function_of

GATES = 4
TILE_ROWS = 6 if MANY_REGISTERS else 2
"""Candidates of a tile: 4 x `TILE_ROWS` vectors fit into this CPU's registers."""
TILE_COLUMNS = GATES * LANES


def _fetch(typing_context: Any, table: Any, row: Any) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        index = args[1].type
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = function_of(builder, shape, "llvm.prefetch.p0")
        base = context.make_array(signature.args[0])(context, builder, args[0]).data
        size = 2 * TILE_COLUMNS
        base = builder.gep(base, [builder.mul(args[1], ir.Constant(index, size))])
        for line in range(0, size, 16):
            address = builder.bitcast(builder.gep(base, [ir.Constant(index, line)]), byte)
            builder.call(prefetch, [address, *(ir.Constant(flag, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


# Both only in kernels.
fetch = cast(Callable[[FloatArray, int], None], intrinsic(_fetch))
"""Bring `table[row]` into the cache, table: `(n, 2, TILE_COLUMNS)`."""
add_product = add_product_of(TILE_ROWS, GATES)
"""Add a product to a tile `(TILE_ROWS, TILE_COLUMNS)`, see `add_product_of`; panels of `TILE_COLUMNS`."""
