"""A route leads from any song to one that is asked for, by the best doors and within so many changes."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray, IntArray
from stream.doors.ranking import DoorRanking
from stream.pool.pool import Pool

MOST_CHANGES = 12
MOST_ROUTE_SONGS = 512
"""Of a larger pool so many songs, evenly spread, are thought of on the way."""
LEG_S = 45.0
"""For so long a song is heard on the way, at most: it meets the one before, lasts a phrase, and is left."""
GOOD_WORTH = -4.0
"""A route that is worth less has a change of song that is no good."""
_OF_CHANGE = -0.1
"""So that of two routes as good the shorter is taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Route:
    """What the best way to a song is worth from each.

    worths: `(MOST_CHANGES + 1, S)` float32, at most 0: within so many changes of song; `-inf` from where none
    that is known leads there. The squares of what doors are worth are added: one bad door is worse than
    several good ones.
    """

    worths: FloatArray

    @classmethod
    def to(cls, goal: int, pool: Pool, doors: DoorRanking) -> "Route":
        """Find the best ways to song `goal` by the doors of a pool."""
        songs = len(pool.songs)
        known = np.unique(np.linspace(0, songs - 1, min(songs, MOST_ROUTE_SONGS)).round().astype(np.int64))
        edges: FloatArray = np.full((len(known), songs), -np.inf, dtype=np.float32)
        entries = np.arange(*pool.song_rows(goal).indices(len(pool)))
        for place, song in enumerate(known.tolist()):
            ways = doors.of_song(song)
            there = ways.entries >= 0
            np.maximum.at(edges[place], pool.chunk_song[ways.entries[there]], ways.worths[there])
            if song != goal:
                edges[place, goal] = max(edges[place, goal], _direct(doors, pool, song, entries))
        edges = -np.square(edges)
        worths = np.full((MOST_CHANGES + 1, songs), -np.inf, dtype=np.float32)
        worths[:, goal] = 0.0
        for changes in range(1, MOST_CHANGES + 1):
            onward = (edges + worths[changes - 1]).max(axis=1) + np.float32(_OF_CHANGE)
            worths[changes] = worths[changes - 1]
            worths[changes, known] = np.maximum(worths[changes, known], onward)
        return cls(worths=worths)

    def within(self, changes: int) -> FloatArray:
        """Return `(S,)` float32: from each song, within so many changes of song."""
        found: FloatArray = self.worths[min(max(0, changes), MOST_CHANGES)]
        return found


def _direct(doors: DoorRanking, pool: Pool, song: int, entries: IntArray) -> float:
    rows = pool.song_rows(song)
    return max(float(doors.worths(row, entries).max()) for row in range(rows.start, rows.stop))
