"""The kept blocks are those of songs that were read lately, within a bound of bytes."""

from collections import OrderedDict

from model.base.arrays import FloatArray

BlockKey = tuple[int, int]
"""Song and number of a block."""


class KeptBlocks:
    """Blocks, those that were asked for longest ago leaving first; the owner holds a lock around each call.

    Planning reads a join half a minute before it is heard. What sounded meanwhile is not heard again, so it
    makes room first (`passed`), and what the join is made of is still there.
    """

    def __init__(self, most_bytes: int) -> None:
        """most_bytes: of all blocks; one is kept in any case."""
        self._most_bytes = most_bytes
        self._held_bytes = 0
        self._blocks: OrderedDict[BlockKey, FloatArray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def get(self, key: BlockKey) -> FloatArray | None:
        """Return a block; None when it is not kept."""
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
        return block

    def put(self, key: BlockKey, block: FloatArray) -> None:
        """Keep a block."""
        self._drop(key)
        self._blocks[key] = block
        self._held_bytes += block.nbytes
        while len(self._blocks) > 1 and self._held_bytes > self._most_bytes:
            self._drop(next(iter(self._blocks)))

    def passed(self, key: BlockKey) -> None:
        """Have a block, if it is kept, make room before all others."""
        if key in self._blocks:
            self._blocks.move_to_end(key, last=False)

    def forget(self, song: int) -> None:
        """Drop the blocks of a song."""
        for key in [key for key in self._blocks if key[0] == song]:
            self._drop(key)

    def clear(self) -> None:
        """Drop all."""
        self._blocks.clear()
        self._held_bytes = 0

    def _drop(self, key: BlockKey) -> None:
        block = self._blocks.pop(key, None)
        if block is not None:
            self._held_bytes -= block.nbytes
