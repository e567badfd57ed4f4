"""The vector index finds the nearest of up to millions of chunks in one pass over quantised embeddings.

Integer sums are exact, so a decision is the same on every processor, and they turn into vector instructions
without fast-math. One thread scans: it waits for memory more than for its core, so that a second one gains
little (`benchmarks/bench_index.py` shows both), and the other core has audio to make.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.array_files import ArrayFileError, frozen
from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import ModelError, PoolError
from model.base.stored_rows import HELD_ROWS, AnyRows, StoredRows
from stream.index.linked_rows import LinkedRows, remake, write_rows
from stream.index.metrics import ALIGNED_BYTES, LEVELS, METRICS, Int8Array, Metric
from stream.index.top import top

WORKING_BYTES = 64
"""Memory that a decision takes meanwhile, for each chunk, at most; 5 where the shortlist is short."""
_SLICE_ROWS = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingIndex:
    """An embedding of every chunk as a predecessor and one as a successor; row = chunk, in pool order.

    predecessors, successors: `(N, stored width)` int8, in rows of whole `ALIGNED_BYTES`.
    predecessor_scales, successor_scales: `(N,)` float32; embedding = scale * int8 row (+ a common offset
    for metric `l1`, where all scales are equal), none of them writeable. Of many chunks the rows of
    predecessors are `StoredRows`, and of an index that is hardly ever gone through whole, those of successors
    too. Any thread may call any method; those that give scores raise `PoolError` where a row cannot be read.
    """

    metric: Metric
    """One of `stream.index.metrics.METRICS`, which says how they are compared."""
    width: int
    """Values of an embedding."""
    key: str
    """What the embeddings were computed from; whoever opens a folder says what it expects."""
    predecessors: AnyRows
    predecessor_scales: FloatArray
    successors: AnyRows
    successor_scales: FloatArray

    def __post_init__(self) -> None:
        rows = len(self.predecessors)
        for name, array in self.arrays.items():
            scales = name.endswith("scales")
            shape = (rows,) if scales else (rows, _stored_width(self.width))
            dtype = np.dtype(np.float32 if scales else np.int8)
            whole = scales or isinstance(array, StoredRows) or array.flags.c_contiguous
            if rows < 1 or array.shape != shape or array.dtype != dtype or not whole:
                raise ValueError(f"{name} is {array.shape} {array.dtype}, expected {shape} {dtype}")
            if scales and not (np.isfinite(array).all() and (array >= 0).all()):
                raise ValueError(f"{name} holds what is below 0 or no number")
        both = (self.predecessor_scales, self.successor_scales)
        if METRICS[self.metric].grid is not None and any((side != both[0][0]).any() for side in both):
            raise ValueError(f"metric {self.metric} has one scale and several were given")

    @classmethod
    def quantised(
        cls, predecessors: FloatArray, successors: FloatArray, *, metric: Metric, key: str
    ) -> "EmbeddingIndex":
        """Quantise embeddings, each `(N, width)` float32, slice by slice.

        Raises `ModelError` when they are too wide, or hold what is no number.
        """
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r} is unknown, expected one of {', '.join(METRICS)}")
        if predecessors.ndim != 2 or predecessors.shape != successors.shape or not predecessors.size:
            raise ValueError(f"embeddings {predecessors.shape} and {successors.shape} must be (N, width)")
        width = predecessors.shape[1]
        form = METRICS[metric]
        if width > form.widest:
            raise ModelError(
                f"embeddings of {width} values are too wide for metric {metric}; "
                f"train a model with at most {form.widest}"
            )
        for side in (predecessors, successors):
            _check_finite(side)
        offset, scale = (0.0, None) if form.grid is None else form.grid
        before, before_scales = _quantised(predecessors, offset, scale)
        after, after_scales = _quantised(successors, offset, scale)
        return cls(
            metric=metric,
            width=width,
            key=key,
            predecessors=before,
            predecessor_scales=before_scales,
            successors=after,
            successor_scales=after_scales,
        )

    @classmethod
    def open(cls, folder: Path, *, chunks: int, key: str, held: bool = True) -> "EmbeddingIndex":
        """Take the arrays in `folder`; `PoolError` unless they are whole, of `chunks` rows and from `key`.

        held: whether successors are held in memory however many there are; predecessors never are. Scales
        are, where not all rows share one.
        """
        rows = LinkedRows.of(folder)
        try:
            expected = (chunks, key)
            found = (len(rows), rows.note["key"])
            if found != expected:
                raise PoolError(f"{folder} holds embeddings {found}, expected {expected}; {remake(folder)}")
            metric, width = rows.note["metric"], rows.note["width"]
            if metric not in METRICS or type(width) is not int:
                raise ValueError("they name no metric or no width")
            in_memory = _ARRAYS if chunks <= HELD_ROWS else _OF_SUCCESSORS if held else ()
            arrays: dict[str, Any] = {}
            for name in _ARRAYS:
                array = rows.read(name)
                if name in in_memory:
                    arrays[name] = frozen(np.asarray(array))
                elif name in _SCALES:
                    arrays[name] = _once(frozen(np.asarray(array)))
                else:
                    arrays[name] = array
            return cls(metric=metric, width=width, key=key, **arrays)
        except (OSError, ValueError, TypeError, KeyError, ArrayFileError) as error:
            raise PoolError(
                f"{folder} holds no embeddings that can be read ({error}); {remake(folder)}"
            ) from error

    @property
    def note(self) -> dict[str, Any]:
        """What stands beside its arrays."""
        return {"key": self.key, "metric": self.metric, "width": self.width}

    def write(self, folder: Path, more: Mapping[str, npt.NDArray[Any]] | None = None) -> None:
        """Write a folder for `open`, beside and renamed, in place of an older one.

        more: other arrays that belong beside them, by name. Whoever has the older one open keeps it.
        `PoolError` when the disk is full or may not be written.
        """
        write_rows(folder, self.note, {**self.arrays, **(more or {})})

    def take(self, rows: IntArray) -> "EmbeddingIndex":
        """Return the embeddings of some chunks, in the order of `rows` `(n,)` int64, in memory."""
        return self._with({name: array[rows] for name, array in self.arrays.items()})

    def with_rows(self, rows: IntArray, other: "EmbeddingIndex") -> "EmbeddingIndex":
        """Return these embeddings with those of `other` in their place at `rows`.

        rows: `(len(other),)` int64. The others stay what they are, to the bit.
        """
        if (other.metric, other.width) != (self.metric, self.width):
            raise ValueError(f"{other.metric} embeddings of {other.width} do not go among {self.metric} ones")
        theirs = other.arrays
        arrays = {name: np.array(array) for name, array in self.arrays.items()}
        for name, array in arrays.items():
            array[rows] = theirs[name]
        return self._with(arrays)

    def __len__(self) -> int:
        return len(self.predecessors)

    @property
    def bytes(self) -> int:
        """Bytes of all arrays, in memory or not, `2 * (stored width + 4)` a chunk."""
        return sum(array.nbytes for array in self.arrays.values())

    def scores(self, reference: int, candidates: IntArray | None = None) -> FloatArray:
        """Return `(n,)` float32, the higher the nearer: `candidates` (rows) after `reference`, or all `N`."""
        if not 0 <= reference < len(self):
            raise IndexError(f"chunk {reference} is not one of the {len(self)} chunks")
        if candidates is None and not isinstance(self.successors, StoredRows):
            return self._scores(reference, self.successors, self.successor_scales)
        if candidates is None:
            candidates = np.arange(len(self))
        scores = np.empty(len(candidates), dtype=np.float32)
        for part, rows, scales in self._parts(candidates):
            scores[part] = self._scores(reference, rows, scales)
        return scores

    def compared(self, reference: int, candidates: IntArray) -> tuple[FloatArray, FloatArray | None]:
        """Return `scores` and `lengths` of some candidates, whose rows are read but once."""
        lengths = METRICS[self.metric].lengths
        found = [np.empty(len(candidates), dtype=np.float32) for _ in range(2)]
        for part, rows, scales in self._parts(candidates):
            found[0][part] = self._scores(reference, rows, scales)
            if lengths is not None:
                found[1][part] = lengths(rows[:, : self.width], scales)
        return found[0], None if lengths is None else found[1]

    def _parts(self, candidates: IntArray) -> Iterator[tuple[slice, Int8Array, FloatArray]]:
        """Yield which of the candidates are at hand, their rows and their scales; for kernels."""
        if len(candidates) and not (candidates.min() >= 0 and candidates.max() < len(self)):
            raise IndexError(f"candidates are not all among the {len(self)} chunks")
        for first in range(0, len(candidates), _SLICE_ROWS):
            part = candidates[first : first + _SLICE_ROWS]
            rows, scales = frozen(self.successors[part]), frozen(self.successor_scales[part])
            yield slice(first, first + len(part)), rows, scales

    def shortlist(self, reference: int, mask: BoolArray, count: int) -> tuple[IntArray, FloatArray]:
        """Return the `count` nearest rows where `mask` holds, best first, and their scores.

        mask: `(N,)` bool. Ties by lower row. Fewer rows come back when fewer are allowed. Takes at most
        `WORKING_BYTES` a chunk meanwhile, and as long for one mask as for another.
        """
        # Everything is scored: skipping rows breaks the stream from memory and saves nothing.
        scores = self.scores(reference)
        rows = top(scores, mask, count)
        return rows, scores[rows]

    def _scores(self, reference: int, rows: Int8Array, scales: FloatArray) -> FloatArray:
        scores = np.empty(len(rows), dtype=np.float32)
        row, scale = self.predecessors[reference], self.predecessor_scales[reference]
        METRICS[self.metric].scores(row, scale, rows, scales, self.width, scores)
        return scores

    def lengths(self, rows: IntArray | None = None) -> FloatArray | None:
        """Return what scores between successors are divided by, so that the same is 1, `(n,)` float32.

        rows: `(n,)` int64, or None for all `N`. None where the same scores 0 and all else less. Of a
        logarithmic metric the exponentials of scores are divided.
        """
        lengths = METRICS[self.metric].lengths
        if lengths is None:
            return None
        some = slice(None) if rows is None else rows
        return lengths(self.successors[some, : self.width], self.successor_scales[some])

    def _with(self, arrays: dict[str, npt.NDArray[Any]]) -> "EmbeddingIndex":
        return EmbeddingIndex(
            metric=self.metric,
            width=self.width,
            key=self.key,
            **{name: frozen(array) for name, array in arrays.items()},
        )

    @property
    def arrays(self) -> dict[str, Any]:
        """Its arrays, by name."""
        return {name: getattr(self, name) for name in _ARRAYS}


_OF_SUCCESSORS = ("successors", "successor_scales")
_ARRAYS = ("predecessors", "predecessor_scales", *_OF_SUCCESSORS)
_SCALES = ("predecessor_scales", "successor_scales")


def _once(values: FloatArray) -> FloatArray:
    """Return values that are all the same as one that is shown everywhere, others as they are."""
    alike = len(values) and bool((values == values[0]).all())
    return np.broadcast_to(values[:1].copy(), values.shape) if alike else values


def _stored_width(width: int) -> int:
    return -(-width // ALIGNED_BYTES) * ALIGNED_BYTES


def _check_finite(embeddings: FloatArray) -> None:
    for first in range(0, len(embeddings), _SLICE_ROWS):
        finite = np.isfinite(embeddings[first : first + _SLICE_ROWS]).all(axis=1)
        if not finite.all():
            chunk = first + int(finite.argmin())
            raise ModelError(f"the embedding of chunk {chunk} is not a number; train the model again")


def _quantised(embeddings: FloatArray, offset: float, scale: float | None) -> tuple[Int8Array, FloatArray]:
    """Return int8 rows and their scales; without `scale`, each row's own largest value sets it."""
    count, width = embeddings.shape
    rows = np.zeros((count, _stored_width(width)), dtype=np.int8)
    scales = np.empty(count, dtype=np.float32)
    for first in range(0, count, _SLICE_ROWS):
        part = slice(first, first + _SLICE_ROWS)
        values = embeddings[part] - np.float32(offset)
        scales[part] = np.abs(values).max(axis=1) / LEVELS if scale is None else scale
        divisors = np.where(scales[part] > 0, scales[part], np.float32(1.0))
        rows[part, :width] = np.clip(np.rint(values / divisors[:, np.newaxis]), -LEVELS, LEVELS)
    return frozen(rows), frozen(scales)
