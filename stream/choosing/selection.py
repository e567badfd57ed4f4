"""The selection scores the exits of a phrase before they are reached, and draws one of their best joins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.base.arrays import BoolArray
from stream.choosing.candidates import MOST_EXITS, MOST_SCORES, Exit, Join, Search, View
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.phrases import NOWHERE, SKIPPED_S, Phrases
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.step import Step
from stream.choosing.viewpoint import Viewpoint
from stream.doors.door import Door
from stream.doors.gapless import gapless_successor

GOES_ON = "the song goes on: nothing was worth as much"


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """How a phrase ends, and why."""

    exit_row: int
    entry_row: int
    goes_on: bool
    """Whether nothing is joined: the song goes on, in another phrase."""
    rung: str
    score: float | None
    """None where the song goes on: that is not scored."""
    rank: int
    """1 is the best that was found."""
    considered: int
    reasons: tuple[str, ...]
    door: Door | None
    """How it meets another song; None within one."""
    terms: Mapping[str, float]
    """What spoke for and against it, by name, in log-odds."""

    def step(self, generation: Generation, now: Situation, reasons: tuple[str, ...]) -> Step:
        """Return the step that it is; reasons: why it was chosen at all."""
        return Step(
            after=now.reference,
            chunk=generation.chunk(self.entry_row),
            natural=self.goes_on,
            renews=self.goes_on,
            rung=self.rung,
            score=self.score,
            rank=self.rank,
            candidates=len(generation.index),
            considered=self.considered,
            reasons=(*reasons, *self.reasons, *((GOES_ON,) if self.goes_on else ())),
            # Whoever asks for another song waits for no blend.
            door=None if now.asked else self.door,
            terms=self.terms,
        )


class Selection:
    """Chooses the joins of one generation that end phrases; belongs to one thread."""

    def __init__(self, search: Search, phrases: Phrases, settings: PlannerSettings) -> None:
        self._search = search
        self._phrases = phrases
        self._song = search.generation.index.song
        self._pool = search.generation.pool
        self._settings = settings
        self._viewpoint = Viewpoint(search, phrases, settings)
        self._exits: dict[int, Exit] = {}

    def forget(self) -> None:
        """Forget what was scored for a phrase that is over."""
        self._exits = {}

    def exits_from(
        self, row: int, stops: BoolArray, history: Course, within_s: float | None = None
    ) -> tuple[int, list[int]]:
        """Return the chunk that the phrase began with, and the exits that it may take from `row` on.

        Where the song before sounded on as it began, it lasts for so much longer. stops: `(N,)`, chunks that
        it does not go on into. within_s: it is left by then, if it may be; None: whenever.
        """
        first_row = row
        while first_row > max(0, row - history.run) and self._song[first_row - 1] == self._song[row]:
            first_row -= 1
        first, last = int(self._phrases.first_exit[first_row]), int(self._phrases.last_exit[first_row])
        end_s = self._pool.end_of_s
        until_s = end_s(max(first, first_row)) + history.overlap_s
        alone_s = self._pool.start_of_s(first_row) + history.overlap_s
        reached = row
        while self._phrases.goes_on[reached]:
            # Nothing ends a phrase in which the song before still sounds.
            ends = stops[reached + 1] or (reached >= last and end_s(reached) >= until_s)
            if ends and end_s(reached) >= alone_s:
                break
            reached += 1
        first = reached if first == NOWHERE else min(first, reached)
        while first < reached and end_s(first) < until_s:
            first += 1
        exits = list(range(max(first, row), reached + 1))
        if self._settings.whole_songs and gapless_successor(self._pool, reached) is not None:
            exits = [reached]
        if within_s is not None:
            in_time = [one for one in exits if end_s(one) - end_s(row) <= within_s]
            exits = in_time or exits[:1]
        return first_row, exits

    def score_ahead(self, now: Situation) -> bool:
        """Score exits before they are reached; whether all have been, so that the join can be chosen.

        Where scores take long there are one or two for each chunk that is played meanwhile.
        """
        left, left_s = self._search.exits_at_once, now.left_s()
        exits = now.exits if self._settings.whole_songs else now.exits[:MOST_EXITS]
        for exit_row in self._ordered(exits):
            if exit_row in self._exits or self._search.costs_nothing(exit_row):
                continue
            if left == 0 or not self._search.affords(left_s):
                return False
            self._exits[exit_row] = self._search.exit(exit_row, now.here.allowed, left_s)
            left -= 1
        return True

    def draw(self, now: Situation, rng: np.random.Generator) -> Choice | None:
        """Draw one of the best joins from the exits on; None when there is none."""
        scored = self._scored(now)
        view = self._viewpoint.view(now, scored)
        found, considered = self._best(scored, view)
        if not found:
            return None
        totals = np.array([join.total for join in found])
        odds = np.exp((totals - totals[0]) / self._settings.temperature)
        place = int(rng.choice(len(found), p=odds / odds.sum()))
        join = found[place]
        leaving = next(one for one in scored if one.row == join.exit_row)
        return Choice(
            exit_row=join.exit_row,
            entry_row=join.entry_row,
            goes_on=join.goes_on,
            rung=leaving.scored.rung,
            score=None if join.goes_on else float(leaving.scored.scores[join.entry_row]),
            rank=place + 1,
            considered=considered,
            reasons=leaving.scored.reasons,
            door=join.door,
            terms=self._search.terms(leaving, join, view),
        )

    def _best(self, scored: list[Exit], view: View) -> tuple[list[Join], int]:
        """Return the best joins that may be, and how many were considered."""
        found, considered = self._search.best(scored, view)
        if not found and view.only_this_song:
            view = replace(view, only_this_song=False)
            found, considered = self._search.best(scored, view)
        if not found:
            found, considered = self._search.best(scored, replace(view, any_splice=True))
        if not self._settings.whole_songs or view.now.asked:
            return found, considered
        whole = [join for join in found if self._skipped_s(join) <= SKIPPED_S]
        if whole:
            return whole, considered
        late = [one for one in scored if self._left_s(one.row) <= SKIPPED_S]
        return self._search.best(late, view) if late else (found, considered)

    def _skipped_s(self, join: Join) -> float:
        """Return how much of the end of the song that a join leaves is not heard."""
        goes_on_s = 0.0 if join.door is None else join.door.goes_on_s
        return self._left_s(join.exit_row) - goes_on_s

    def _left_s(self, row: int) -> float:
        last = self._pool.song_rows(int(self._song[row])).stop - 1
        return self._pool.end_of_s(last) - self._pool.end_of_s(row)

    def _scored(self, now: Situation) -> list[Exit]:
        """Return the exits that are scored, as many as cost next to nothing, and at least the first."""
        allowed = now.here.allowed
        scored: list[Exit] = []
        for exit_row in self._ordered(now.exits):
            known = self._exits.get(exit_row)
            if known is None and (not scored or self._search.costs_nothing(exit_row)):
                known = self._search.exit(exit_row, allowed, now.left_s())
            if known is not None:
                scored.append(known)
        by_model = [one for one in scored if one.scored.rung != "nearest"]
        return by_model or scored

    def _ordered(self, exits: Sequence[int]) -> Sequence[int]:
        """Return the exits that are scored, in this order: where there is no time for all, the first count.

        A song that is played whole is left late rather than too soon.
        """
        chosen = self._spread(exits)
        return chosen[::-1] if self._settings.whole_songs else chosen

    def _spread(self, exits: Sequence[int]) -> Sequence[int]:
        """Return of some exits as many as are scored in a pool of this size, evenly spread."""
        most = max(1, min(MOST_EXITS, MOST_SCORES // len(self._song)))
        if len(exits) <= most:
            return exits
        return [exits[round(n)] for n in np.linspace(0, len(exits) - 1, most)]
