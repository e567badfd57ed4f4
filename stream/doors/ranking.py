"""The ranking holds every exit of a song against the entries of all others, and keeps the best doors.

It takes some milliseconds for a song, so that it is made when a stream comes near, not when a pool is built;
when the pool has grown, only what is new is held against what was there.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.doors.estimate import best_doors, door_worths
from stream.doors.facts import DoorFacts, fullness
from stream.pool.pool import Pool

DOORS_KEPT = 16
"""Of each exit the best doors are kept, into different songs."""
SONGS_KEPT = 4_096
"""Songs whose doors are kept, at most; those that were asked for longest ago are forgotten."""
ALL_ENTRIES = 65_536
"""Of a larger pool only some entries of each song are ranked."""
ENTRIES_OF_SONG = 4
MOST_HELD_AGAINST = 8_192
"""The exits of a song are held against so many entries at most: of more, every n-th, not the same for each.

What the best of them is worth tells where to leave; where to go is chosen among all.
"""
_FEWEST = DOORS_KEPT // 2
"""With fewer doors left by songs that are gone, an exit is ranked anew."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SongDoors:
    """The best doors out of one song, `(exits, DOORS_KEPT)` each, of each exit the best first.

    worths: float32, in log-odds, `-inf` where there is none. entries: int64, rows of the pool; -1 there.
    """

    worths: FloatArray
    entries: IntArray


class DoorRanking:
    """The doors of one pool; belongs to one thread."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._facts = DoorFacts(pool)
        self._entries: tuple[IntArray, FloatArray] | None = None
        self._exits: FloatArray | None = None
        """Facts of all exits; None where not all entries are ranked, or nothing was asked for yet."""
        self._latest: tuple[int, FloatArray] | None = None
        """The exit that was asked for last, and its facts."""
        self._kept: OrderedDict[int, SongDoors] = OrderedDict()

    def worths(self, exit_row: int, rows: IntArray) -> FloatArray:
        """Return `(n,)` float32, at most 0, in log-odds: what doors are worth from an exit to `rows` `(n,)`.

        0 within a song.
        """
        ranked, facts = self._ranked()
        if self._exits is None:
            if self._latest is None or self._latest[0] != exit_row:
                self._latest = exit_row, self._facts.exits(np.array([exit_row]))[0]
            leaving, entering = self._latest[1], self._facts.entries(rows)
        else:
            leaving, entering = self._exits[exit_row], facts if len(rows) == len(ranked) else facts[rows]
        return door_worths(leaving, entering)

    def of_song(self, song: int) -> SongDoors:
        """Return the best doors out of a song, a row for each of its chunks."""
        found = self._kept.get(song)
        if found is None:
            rows = self._pool.song_rows(song)
            found = self._ranking(np.arange(rows.start, rows.stop), self._ranked()[0])
            self._keep(song, found)
        else:
            self._kept.move_to_end(song)
        return found

    def best_into(self, song: int, open_songs: BoolArray) -> FloatArray:
        """Return `(exits,)` float32: of each exit of a song the best door into one of `open_songs` `(S,)`.

        `-inf` where none that is kept leads there.
        """
        doors = self.of_song(song)
        known = doors.entries >= 0
        leads = known & open_songs[self._pool.chunk_song[np.where(known, doors.entries, 0)]]
        best: FloatArray = np.where(leads, doors.worths, np.float32(-np.inf)).max(axis=1)
        return best

    def moved(self, pool: Pool) -> "DoorRanking":
        """Return the ranking of another generation of the pool, with all that is still right of this one.

        Doors between songs that were there stay; new songs are held against them, and ranked when asked for.
        """
        moved = DoorRanking(pool)
        found = [pool.song_of(name) for name in self._pool.audio_hashes]
        there = np.array([-1 if number is None else number for number in found], dtype=np.int64)
        same, offsets = self._unmoved(pool, there)
        fresh = np.ones(len(pool.songs), dtype=np.bool_)
        fresh[there[same]] = False
        entries = moved._entries_of(fresh)
        for song, doors in self._kept.items():
            if not same[song]:
                continue
            known = doors.entries >= 0
            of_song = self._pool.chunk_song[np.where(known, doors.entries, 0)]
            known &= same[of_song]
            if known.sum(axis=1).min() < min(_FEWEST, len(pool.songs) - 1):
                continue
            number = int(there[song])
            rows = pool.song_rows(number)
            old = SongDoors(
                worths=np.where(known, doors.worths, np.float32(-np.inf)),
                entries=np.where(known, doors.entries + offsets[of_song], -1),
            )
            new = moved._ranking(np.arange(rows.start, rows.stop), entries)
            moved._keep(number, _merged(old, new))
        return moved

    def _unmoved(self, pool: Pool, there: IntArray) -> tuple[BoolArray, IntArray]:
        """Return which songs are cut as they were, `(S,)`, and by how many rows those have moved.

        there: `(S,)`, their numbers in `pool`, -1 where they are gone.
        """
        (begins, ends), (new_begins, new_ends) = _bounds(self._pool), _bounds(pool)
        offsets = new_begins[there] - begins
        same = (there >= 0) & (new_ends[there] - new_begins[there] == ends - begins)
        rows = np.flatnonzero(same[self._pool.chunk_song])
        song = self._pool.chunk_song[rows]
        other = pool.start_sample[rows + offsets[song]] != self._pool.start_sample[rows]
        same[song[other]] = False
        return same, offsets

    def _keep(self, song: int, doors: SongDoors) -> None:
        self._kept[song] = doors
        while len(self._kept) > SONGS_KEPT:
            self._kept.popitem(last=False)

    def _ranking(self, exit_rows: IntArray, entry_rows: IntArray) -> SongDoors:
        ranked, facts = self._ranked()
        every = -(-len(entry_rows) // MOST_HELD_AGAINST)
        entering = facts if entry_rows is ranked else self._facts.entries(entry_rows)
        if every > 1:
            first = int(self._pool.chunk_song[exit_rows[0]]) % every
            entry_rows, entering = entry_rows[first::every], np.ascontiguousarray(entering[first::every])
        worths, places = best_doors(self._facts.exits(exit_rows), entering, DOORS_KEPT)
        found = places >= 0
        entries = np.full(places.shape, -1, dtype=np.int64)
        entries[found] = entry_rows[places[found]]
        return SongDoors(worths=worths, entries=entries)

    def _ranked(self) -> tuple[IntArray, FloatArray]:
        """Return the entries that are ranked, `(n,)` rows and their facts."""
        if self._entries is None:
            rows = self._entries_of(np.ones(len(self._pool.songs), dtype=np.bool_))
            if len(rows) == len(self._pool):
                self._exits = self._facts.exits(rows)
            self._entries = rows, self._facts.entries(rows)
        return self._entries

    def _entries_of(self, wanted: BoolArray) -> IntArray:
        """Return the entries of some songs `(S,)` that are ranked: all, or of a large pool the thinnest."""
        song = self._pool.chunk_song
        if len(song) <= ALL_ENTRIES:
            return np.flatnonzero(wanted[song])
        # Songs stand in a row, so that sorting by both keeps each where it is.
        thinnest = np.argsort(2.0 * song + fullness(self._pool.traits.start_full_db), kind="stable")
        places = np.arange(len(song)) - np.searchsorted(song, song)
        few: IntArray = np.sort(thinnest[(places < ENTRIES_OF_SONG) & wanted[song]])
        return few


def _bounds(pool: Pool) -> tuple[IntArray, IntArray]:
    """Return where the rows of each song begin, and where they end, `(S,)` each."""
    bounds = np.searchsorted(pool.chunk_song, np.arange(len(pool.songs) + 1, dtype=pool.chunk_song.dtype))
    return bounds[:-1], bounds[1:]


def _merged(one: SongDoors, other: SongDoors) -> SongDoors:
    worths = np.concatenate([one.worths, other.worths], axis=1)
    entries = np.concatenate([one.entries, other.entries], axis=1)
    order = np.argsort(-worths, axis=1, kind="stable")[:, :DOORS_KEPT]
    return SongDoors(
        worths=np.take_along_axis(worths, order, axis=1), entries=np.take_along_axis(entries, order, axis=1)
    )
