"""The spacing says which songs may follow another, so that none comes back soon or stays away long."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.index.edge_index import NEVER

SONGS_APART = 8
"""So many other songs are heard before one comes back, where the pool has twice as many."""
ARTISTS_APART = 2
"""So many other artists are heard before one comes back, where there are enough."""
LATE = 1.0
"""A song is late, in rounds: the time in which every song could have been heard once."""
TOO_LATE = 2.0
"""From so many rounds on only songs follow that have been away for as long."""
_MOST_LATE = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Openings:
    """Where a change of song may lead, by song.

    open: `(S,)` bool. late: `(S,)` float32, 0 and up: for how many rounds too long a song was not heard.
    """

    open: BoolArray
    late: FloatArray
    reasons: tuple[str, ...] = ()


def songs_apart(songs: int) -> int:
    """Return how many others are heard before a song comes back, of so many songs."""
    return SONGS_APART if songs >= 2 * SONGS_APART else max(0, (songs - 1) // 2)


def artists_apart(artists: int) -> int:
    """Return how many other artists are heard before one comes back, of so many."""
    return min(ARTISTS_APART, max(0, (artists - 1) // 2))


class Spacing:
    """Spaces the songs and artists of one generation; any thread may ask."""

    def __init__(self, generation: Generation) -> None:
        index, songs = generation.index, generation.pool.songs
        self._song = index.song
        self._first_rows = np.searchsorted(index.song, np.arange(len(songs)))
        artists = enumerate(songs.texts("artist"))
        names = [artist.strip().casefold() or f"\n{number}" for number, artist in artists]
        _, artist = np.unique(names, return_inverse=True)
        self._artist: IntArray = artist.astype(np.int64)

    def any_of_each(self, chosen: BoolArray) -> BoolArray:
        """Return `(S,)` bool: the songs of which any chunk is `chosen`, `(N,)`."""
        found: BoolArray = np.logical_or.reduceat(chosen, self._first_rows)
        return found

    def openings(self, course: Course, row: int, playable: BoolArray) -> Openings:
        """Return where a change of song may lead from chunk `row`; playable: `(S,)`, songs that can follow.

        Rules give way where they leave nothing: first artists, then what is late, then songs.
        """
        here = int(self._song[row])
        last = np.maximum.reduceat(course.last_played, self._first_rows)
        others = playable.copy()
        others[here] = False
        count = int(np.count_nonzero(others)) + 1
        round_steps = count * (course.steps + 1) / (course.changes + 1)
        away = (course.steps - np.maximum(last, 0)) / round_steps
        late = np.clip(away - LATE, 0.0, _MOST_LATE).astype(np.float32)
        late[~others] = 0.0
        apart = songs_apart(count)
        fresh = others & ~self._latest(last, here, apart)
        if not fresh.any():
            reasons = ("all other songs were heard lately",) if others.any() else ()
            return Openings(open=others, late=late, reasons=reasons)
        overdue = fresh & (late >= TOO_LATE - LATE)
        if overdue.any():
            return Openings(open=overdue, late=late, reasons=("a song was not heard for long",))
        spaced = fresh & ~self._artists_lately(last, here, others)
        found = spaced if spaced.any() else fresh
        # Of two songs one comes back at once.
        found[here] = apart == 0 and playable[here]
        return Openings(open=found, late=late)

    def _latest(self, last: IntArray, here: int, count: int) -> BoolArray:
        """Return the `count` songs that were heard last before the one that plays, `(S,)` bool."""
        lately = np.zeros(len(last), dtype=np.bool_)
        heard = np.flatnonzero(last != NEVER)
        heard = heard[heard != here]
        lately[heard[np.argsort(-last[heard], kind="stable")[:count]]] = True
        return lately

    def _artists_lately(self, last: IntArray, here: int, others: BoolArray) -> BoolArray:
        """Return the songs whose artist was heard lately, the one that plays among them, `(S,)` bool."""
        among = others.copy()
        among[here] = True
        apart = artists_apart(int(np.count_nonzero(np.bincount(self._artist[among]))))
        if not apart:
            return np.zeros(len(last), dtype=np.bool_)
        heard = np.flatnonzero(last != NEVER)
        heard = heard[np.argsort(-last[heard], kind="stable")]
        latest = list(dict.fromkeys([int(self._artist[here]), *self._artist[heard[:64]].tolist()]))[:apart]
        return np.isin(self._artist, latest)
