"""A scorer says how naturally each candidate follows a chunk, in time, and keeps the rows."""

import math
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Protocol

from model.base.arrays import FloatArray, IntArray

KEPT_BYTES = 64 * 2**20


class ScoringLateError(Exception):
    """The scores were not there in time."""


class Scorer(Protocol):
    """How naturally each candidate follows a chunk."""

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None.

        Raises `ScoringLateError` when that takes longer than `timeout_s`, as soon as it is noticed.
        """

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks if they are known already."""

    def cancel(self) -> None:
        """Make a score under way end soon, by raising; for another thread, before the scorer is dropped."""


class RowScorer(ABC):
    """A scorer that keeps full rows, least recently used first out, within `kept_bytes`."""

    def __init__(self, candidates: int, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[int, FloatArray] = OrderedDict()
        self._kept_rows = max(1, kept_bytes // (4 * candidates))

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None."""
        row = self.kept(reference)
        if row is not None:
            return row if candidates is None else row[candidates]
        late_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        row = self._scores(reference, candidates, late_s)
        if candidates is None:
            row.flags.writeable = False
            self._kept[reference] = row
            while len(self._kept) > self._kept_rows:
                self._kept.popitem(last=False)
        return row

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks if they are known already."""
        row = self._kept.get(reference)
        if row is not None:
            self._kept.move_to_end(reference)
        return row

    @abstractmethod
    def cancel(self) -> None:
        """Make a score under way end soon, by raising."""

    @abstractmethod
    def _scores(self, reference: int, candidates: IntArray | None, late_s: float) -> FloatArray:
        """Score rows, or all; raise `ScoringLateError` soon after the monotonic clock is at `late_s`."""
