"""Groups of transitions are found by how both sides sound; any other transition belongs to some of them."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.learning.transitions import group_transitions, nearest_centres

_LEVEL_SHARE = np.float32(0.5)
"""How much of the level of a transition as a whole counts: songs are levelled when they play, but quiet parts
follow quiet ones."""
_FURTHEST_DB = np.float32(6.0)
"""Transitions that differ by more from the mean are drawn in: else the oddest songs get groups of their own,
into which nothing of other songs falls."""
_SPREAD = np.float32(0.4)
"""Membership falls to 1 / e where a centre is further than the nearest by this share of what is usual."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """K groups of transitions, by their `model.learning.transitions.seam_levels`."""

    mean: FloatArray
    """`(values,)` of the transitions that they were made of."""
    centres: FloatArray
    """`(K, values)`."""
    usual: float
    """Mean squared distance of those transitions from their centres, a value of each."""

    @classmethod
    def of(cls, levels: FloatArray, classes: int, seed: int) -> "Groups":
        """Group `(n, values)` levels; `ModelError` where there are fewer of them than groups."""
        levelled = _levelled(levels)
        mean: FloatArray = levelled.mean(axis=0)
        placed = _drawn_in(levelled - mean)
        found = group_transitions(placed, classes, seed)
        assert found.centres is not None  # of groups
        usual = float(_squares(placed, found.centres).min(axis=1).mean())
        return cls(mean=mean, centres=found.centres, usual=usual)

    def nearest(self, levels: FloatArray) -> IntArray:
        """Return `(n,)` int64: the group that each of `(n, values)` levels is nearest to."""
        return nearest_centres(self._placed(levels), self.centres)

    def members(self, levels: FloatArray) -> FloatArray:
        """Return `(n, K)` float32: how much each belongs to each group, 1 in all.

        Where one group passes into the next, a transition is of both: by what is learned so, the successor is
        found more often than by groups with sharp borders.
        """
        squares = _squares(self._placed(levels), self.centres)
        further = squares - squares.min(axis=1, keepdims=True)
        found = np.exp(-further / (_SPREAD * np.float32(max(self.usual, 1e-6))))
        members: FloatArray = (found / found.sum(axis=1, keepdims=True)).astype(np.float32)
        return members

    def _placed(self, levels: FloatArray) -> FloatArray:
        return _drawn_in(_levelled(levels) - self.mean)


def _levelled(levels: FloatArray) -> FloatArray:
    levelled: FloatArray = levels - (1 - _LEVEL_SHARE) * levels.mean(axis=1, keepdims=True)
    return levelled


def _drawn_in(levels: FloatArray) -> FloatArray:
    apart = np.sqrt(np.mean(levels * levels, axis=1, keepdims=True))
    placed: FloatArray = levels / np.maximum(apart / _FURTHEST_DB, np.float32(1.0))
    return placed


def _squares(levels: FloatArray, centres: FloatArray) -> FloatArray:
    """Return `(n, K)` float32: mean squared differences."""
    squares: FloatArray = np.mean((levels[:, None] - centres[None]) ** 2, axis=2)
    return squares
