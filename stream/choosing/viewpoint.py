"""The viewpoint weighs what entering chunks is worth in one situation, whatever is left for them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.choosing.candidates import Exit, Search, View
from stream.choosing.journey.way_out import DUE, MOST_OWED, WayOut, way_out
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import coverage
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.index.edge_index import NO_SUCCESSOR

OTHER_SONG_LOGIT = 2.0
"""What a join to another song is worth more, for each that is owed."""
_NO_DOOR = -12.0
"""Worth of a phrase that leads to no door, in log-odds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Way:
    """Whether the song is left now, and if it is not, by what it goes on."""

    leaves: bool = False
    stays: bool = False
    """Whether it is not left yet, though its time has come: for a better door."""
    out: WayOut | None = None
    """What to go by where it stays."""

    def walk(self, rows: IntArray | None, count: int, weight: float) -> FloatArray:
        """Return what it is worth to begin a phrase there that leads to a good door, `(count,)` float32.

        rows: of which chunks, rising; None: of all. It is 0 where nothing is gone by.
        """
        walk = np.zeros(count, dtype=np.float32)
        if self.out is None:
            return walk
        ahead = np.maximum(np.float32(weight) * self.out.ahead, _NO_DOOR)
        if rows is None:
            walk[self.out.rows] = ahead
        else:
            inside = (rows >= self.out.rows.start) & (rows < self.out.rows.stop)
            walk[inside] = ahead[rows[inside] - self.out.rows.start]
        return walk


class Viewpoint:
    """Views the chunks of one generation from where the stream stands; belongs to one thread."""

    def __init__(self, search: Search, phrases: Phrases, settings: PlannerSettings) -> None:
        self._search = search
        self._phrases = phrases
        self._pool = search.generation.pool
        self._successor = search.generation.index.successor
        self._settings = settings

    def view(self, now: Situation, scored: Sequence[Exit]) -> View:
        """Weigh what may follow the exits that are scored."""
        rows = self._weighed(scored)
        which = slice(None) if rows is None else rows
        way, onward, allowed = self._way(now, scored), now.onward, now.here.allowed
        here, abroad = int(self._pool.chunk_song[now.row]), onward.abroad(which)
        covered = coverage(now.history, self._phrases, self._settings.weights, now.here.mean_plays, rows)
        nothing = np.zeros(len(covered), dtype=np.float32)
        favoured = nothing if now.pull is None else now.pull.favoured[which]
        towards = nothing if now.pull is None else now.pull.towards[which]
        coming = covered if now.pull is None else covered + favoured
        price = OTHER_SONG_LOGIT * now.history.owed
        future = nothing
        if rows is None:
            future = self._search.future.worths(allowed, abroad, coming, price, self._settings)
        return View(
            now=now,
            rows=rows,
            abroad=abroad,
            coverage=covered,
            favoured=favoured,
            towards=towards,
            entering=covered if now.pull is None else covered + (favoured + towards),
            future=np.float32(self._settings.discount) * future,
            travelling=np.float32(price) + onward.due(which) + onward.arc(which),
            other_song=price,
            walk=way.walk(rows, len(covered), self._settings.weights.door),
            only_other_songs=way.leaves and onward.leads_abroad(allowed, leaving=here),
            only_this_song=way.stays,
        )

    def _weighed(self, scored: Sequence[Exit]) -> IntArray | None:
        """Return the chunks that anything is decided of, `(n,)`, rising; None: all, where none is spared."""
        if self._search.future.enabled:
            return None
        following = [self._successor[[one.row for one in scored]]]
        rows = np.unique(np.concatenate([*(one.rows for one in scored), *following]))
        weighed: IntArray = rows[rows != NO_SUCCESSOR]
        return weighed

    def _way(self, now: Situation, scored: Sequence[Exit]) -> _Way:
        """Tell whether a door at hand is to be taken, or a better one is ahead."""
        if now.asked or now.departs or self._settings.whole_songs:
            return _Way(leaves=True)
        if now.aims or not now.onward.leads_abroad(now.here.allowed):
            return _Way()
        owed = now.history.owed
        out = way_out(
            self._pool,
            self._search.doors,
            self._phrases,
            row=now.row,
            exits=list(now.exits),
            reached=self._reached(now, scored),
            onward=now.onward,
            owed=owed,
        )
        if out.leaves_now or owed > MOST_OWED:
            return _Way(leaves=True)
        if owed <= DUE:
            return _Way()
        return _Way(stays=True, out=out)

    def _reached(self, now: Situation, scored: Sequence[Exit]) -> BoolArray:
        """Return where in the song phrases may begin once this one is over, `(N,)`: ahead, or by a join."""
        allowed, rows = now.here.allowed, self._pool.song_rows(int(self._pool.chunk_song[now.row]))
        reached = np.zeros(len(allowed), dtype=np.bool_)
        for one in scored:
            good = one.rows[one.worths >= self._settings.weights.straight_on]
            good = good[(good >= rows.start) & (good < rows.stop)]
            reached[good] = allowed[good]
        row = now.exits[0]
        while self._phrases.goes_on[row] and allowed[row + 1]:
            row += 1
            reached[row] = True
        return reached
