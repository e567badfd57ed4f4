"""A build is refused before it begins where the disk has no room for what it is going to write."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import mutagen

from model.base.errors import PoolError
from stream.pool.columns import record_type

_BYTES_PER_S = 16_000
"""Of a file that does not say how long it is: 128 kbit/s."""
_TIMES = 2
"""An analysis stands in a file of its own, and beside it in the columns until these are published."""


def require_room(folder: Path, songs: Iterable[Path], *, chunk_s: float, edge_samples: int) -> None:
    """Raise `PoolError` where analysing `songs` is expected to write more than there is room for at `folder`.

    chunk_s: how long a chunk is about. Decoded copies look for room themselves.
    """
    length_s = sum(_length_s(path) for path in songs)
    needed = _TIMES * length_s / chunk_s * record_type(edge_samples).itemsize
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PoolError(
            f"{length_s / 60:.0f} minutes of music need about {needed / 1e6:.0f} MB while they are analysed, "
            f"and {free / 1e6:.0f} MB are free at {folder}; free some space, or begin with less music"
        )


def _length_s(path: Path) -> float:
    # The parser meets arbitrary bytes; what cannot be read at all, its analysis says.
    with suppress(Exception):
        length_s = mutagen.File(path).info.length
        if length_s > 0:
            return float(length_s)
    with suppress(OSError):
        return path.stat().st_size / _BYTES_PER_S
    return 0.0
