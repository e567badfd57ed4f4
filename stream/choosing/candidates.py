"""The search holds every exit of a phrase against every chunk that may follow, and keeps the best joins."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from stream.choosing.generation import Generation
from stream.choosing.phrases import Phrases
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.weighing.liking import Liking
from stream.choosing.weighing.lookahead import Future
from stream.choosing.weighing.terms import CACHED_CHUNKS, COST_TERMS, DOOR, Costs
from stream.doors.door import Door
from stream.doors.judging import judge_door
from stream.doors.ranking import DoorRanking
from stream.doors.side import DoorSide
from stream.index.edge_index import NO_SUCCESSOR
from stream.index.top import top
from stream.pool.feedback import LabelledJoin
from stream.scoring.hubs import hub_levels
from stream.scoring.ladder import Ladder, ScoredCandidates, band_logits

SHORTLISTED = 4_096
"""Candidates whose terms are computed, of a pool larger than `CACHED_CHUNKS`."""
MOST_LOGIT = 12.0
PREPARED_CHUNKS = 4_096
"""In a pool up to this size all exits are known before the first decision, where scores cost nothing."""
MOST_EXITS = 16
"""Exits of a phrase that are scored."""
JUDGED_AT_ONCE = 8
"""Of so many joins it is judged how the songs meet, and of as many more while these may be better, ..."""
MOST_JUDGED = 16
"""... of so many at most."""
_HARDLY_DRAWN = 5.0
"""What is worth less than the best by so many temperatures is as good as never drawn."""
MOST_SCORES = 400_000
"""Candidates that are scored for one decision, at least one exit's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What chunks are worth in a situation, whatever is left for them; `(n,)` in log-odds."""

    now: Situation
    rows: IntArray | None
    """`(n,)`, rising, which chunks, those that follow exits among them; None: all of the pool."""
    abroad: BoolArray
    """Whether a change of song may lead there."""
    coverage: FloatArray
    favoured: FloatArray
    towards: FloatArray
    entering: FloatArray
    """The three together: what beginning a phrase there is worth now."""
    travelling: FloatArray
    """What a change of song to it is worth on top of that."""
    future: FloatArray
    other_song: float
    """What a join to another song is worth, whichever it is."""
    walk: FloatArray
    """What it is worth to begin a phrase there that leads to a good door."""
    only_other_songs: bool
    only_this_song: bool
    any_splice: bool = False
    """Whether a join within the song may be worth less than to go on."""

    def places(self, rows: IntArray) -> IntArray | slice:
        """Return where some of its chunks stand, `(n,)`; of all nothing need be gathered."""
        if self.rows is not None:
            return np.searchsorted(self.rows, rows)
        return slice(None) if len(rows) == len(self.abroad) else rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Join:
    """One way to end a phrase."""

    exit_row: int
    entry_row: int
    total: float
    """In log-odds."""
    goes_on: bool = False
    """Whether nothing is joined: the song goes on, and another phrase begins."""
    door: Door | None = None
    """How it meets another song, once that is judged."""
    judged: float = 0.0
    """What judging it has added to the total."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exit:
    """An exit that was scored: its scores, and what each candidate is worth at any time."""

    row: int
    scored: ScoredCandidates
    rows: IntArray
    """`(n,)` candidates, rising."""
    costs: FloatArray
    """`(n, len(COST_TERMS))`, what is weighed beyond the model."""
    worths: FloatArray
    """`(n,)` in log-odds: the model and every term that does not depend on what was played."""
    disliked: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def costs_of(self, row: int) -> FloatArray:
        """Return what is weighed of one of its candidates, `(len(COST_TERMS),)`."""
        found: FloatArray = self.costs[int(np.searchsorted(self.rows, row))]
        return found


class Search:
    """Scores exits and finds the best joins of one generation; belongs to one thread."""

    def __init__(
        self,
        generation: Generation,
        settings: PlannerSettings,
        joins: Sequence[LabelledJoin],
        doors: DoorRanking | None = None,
    ) -> None:
        """doors: of this generation, as far as they are known; None: none are."""
        self.generation = generation
        self.exits_at_once = 1 if generation.opened.vectors is None else 2
        """Exits that are scored for one step, unless their scores cost nothing."""
        self.future = Future(generation.index.song)
        self._settings = settings
        self._weights = settings.weights
        self.doors = doors or DoorRanking(generation.pool)
        self.costs = Costs(generation, self.doors)
        self.liking = Liking(generation, joins)
        self._ladder = Ladder()
        self._hubs: FloatArray = np.zeros(len(generation.index), dtype=np.float32)
        self._prepared = False
        self._blends = settings.doors
        self._known = False
        """Whether all scores are as good as known."""

    def judge(self, joins: Sequence[LabelledJoin]) -> None:
        """Take up what listeners thought of joins."""
        self.liking = Liking(self.generation, joins)

    def take_up(self, phrases: Phrases, phrase_factor: float) -> None:
        """Go by phrases that last so much longer or shorter than usual, and by joins to match."""
        self._blends = self._settings.doors.shortened(phrase_factor)
        self.future.measure(phrases)

    def prepare(self) -> None:
        """Measure hubs, and of a small pool every exit, where a score costs next to nothing; once."""
        scorer, count = self.generation.scorer, len(self.generation.index)
        if self._prepared or scorer is None:
            return
        self._prepared = True
        self._known = scorer.kept(0) is not None
        if not self._known:
            return
        try:
            self._hubs = hub_levels(lambda row: logits(scorer.score(row)), count)
            if not np.isfinite(self._hubs).all():
                self._hubs = np.zeros(count, dtype=np.float32)
            everything = np.ones(count, dtype=np.bool_)
            for row in range(count if count <= PREPARED_CHUNKS else 0):
                if self.exit(row, everything, None).scored.failed:
                    # A model that hangs takes its time; decisions, which have none, go on trying it.
                    break
        except Exception:  # whatever a runtime or a broken graph may raise: decisions tell of it
            self._hubs = np.zeros(count, dtype=np.float32)

    def costs_nothing(self, row: int) -> bool:
        """Whether the scores after `row` are known, or as good as known."""
        scorer = self.generation.scorer
        return scorer is not None and (self._known or scorer.kept(row) is not None)

    def reach(self, row: int, rows: IntArray) -> float:
        """Return what the best join from chunk `row` to one of `rows` `(n,)` is worth at any time.

        By the model, in log-odds, where its scores are as good as known, else by band levels.
        """
        self.prepare()
        scorer = self.generation.scorer
        model: FloatArray | None = None
        if self._known and scorer is not None:
            # Whatever a runtime or a broken graph may raise: decisions tell of it.
            with suppress(Exception):
                model = logits(scorer.score(row, rows))
        if model is None:
            model = band_logits(-self.generation.index.bands.scores(row, rows))
        costs = self.costs.terms(row, rows, self._weights).sum(axis=1, dtype=np.float32)
        hubs = np.float32(self._weights.hub) * self._hubs[rows]
        return float((model + costs - hubs).max())

    def affords(self, time_left_s: float | None) -> bool:
        """Whether there is time to score one more exit, whose scores are not known."""
        return self._ladder.affords(len(self.generation.index), time_left_s)

    def exit(self, row: int, allowed: BoolArray, time_left_s: float | None) -> Exit:
        """Score what may follow `row`, as well as the time allows."""
        mask = allowed.copy()
        mask[row] = False
        liked, disliked = self.liking.after(row)
        mask[disliked] = False
        if not mask.any():
            mask = allowed
        scorer = self.generation.scorer
        assert scorer is not None  # nothing is searched where nothing is scored
        vectors = self.generation.opened.vectors
        scored = self._ladder.climb(scorer, self.generation.index, row, mask, time_left_s, vectors)
        everything = len(mask) <= CACHED_CHUNKS
        if everything:
            rows = np.arange(len(mask))
        elif scored.rows is not None:
            rows = np.sort(scored.rows)
        else:
            rows = np.sort(top(scored.scores, scored.mask, SHORTLISTED))
        costs = self.costs.terms(row, rows, self._weights)
        worths = logits(scored.scores[rows]) + costs.sum(axis=1, dtype=np.float32)
        worths -= np.float32(self._weights.hub) * self._hubs[rows]
        if len(liked):
            worths[np.isin(rows, liked)] += np.float32(self._weights.liked)
        found = Exit(row=row, scored=scored, rows=rows, costs=costs, worths=worths, disliked=disliked)
        if everything and scored.rung in ("full", "kept"):
            possible = np.ones(len(mask), dtype=np.bool_)
            possible[row] = False
            possible[disliked] = False
            same = self.generation.index.song == self.generation.index.song[row]
            possible &= ~same | (worths >= self._weights.straight_on)
            successor = int(self.generation.index.successor[row])
            if successor != NO_SUCCESSOR:
                # To go on is no join, and is worth what it is.
                worths, possible[successor] = worths.copy(), True
                worths[successor] = self._weights.straight_on
            self.future.learn(row, worths, possible)
        return found

    def best(self, exits: Sequence[Exit], view: View) -> tuple[list[Join], int]:
        """Return the `top_k` best joins, best first, and how many were considered.

        A join does not go back into what its phrase has just played, and within a song it is worth as much
        as to go on, unless `view.any_splice`. More are found at first: of those into another song it is
        judged how the two meet.
        """
        index, now, straight_on = self.generation.index, view.now, self._weights.straight_on
        count = max(self._settings.top_k, MOST_JUDGED)
        found, considered = [], 0
        for leaving in exits:
            rows = leaving.rows
            # Of all chunks nothing need be gathered.
            which = slice(None) if len(rows) == len(index) else rows
            at = view.places(rows)
            mask = leaving.scored.mask[which] & now.here.allowed[which]
            other = index.song[which] != index.song[leaving.row]
            within = (rows >= now.first_row) & (rows <= leaving.row + 1)
            abroad = view.abroad[at] & (not view.only_this_song)
            splices = (leaving.worths >= straight_on) | view.any_splice
            mask &= np.where(other, abroad, splices & (not view.only_other_songs)) & ~within
            if len(leaving.disliked):
                mask &= ~np.isin(rows, leaving.disliked)
            totals = leaving.worths + view.entering[at] + view.future[at] + view.walk[at]
            totals += view.travelling[at] * other
            considered += int(np.count_nonzero(mask))
            for place in top(totals, mask, count).tolist():
                join = Join(exit_row=leaving.row, entry_row=int(rows[place]), total=float(totals[place]))
                found.append(join)
            onward = self._onward(leaving.row, view)
            if onward is not None:
                found.append(onward)
        found.sort(key=lambda join: -join.total)
        return self._judged_best(found[:count], exits)[: self._settings.top_k], considered

    def _onward(self, exit_row: int, view: View) -> Join | None:
        """Return what it is worth to go on after a chunk, in another phrase; None where none may begin."""
        row, now = int(self.generation.index.successor[exit_row]), view.now
        if row == NO_SUCCESSOR or now.asked or view.only_other_songs or not now.here.allowed[row]:
            return None
        at = row if view.rows is None else int(np.searchsorted(view.rows, row))
        coming = float(view.entering[at] + view.future[at] + view.walk[at])
        total = self._weights.straight_on + coming
        return Join(exit_row=exit_row, entry_row=row, total=total, goes_on=True)

    def _judged_best(self, found: Sequence[Join], exits: Sequence[Exit]) -> list[Join]:
        """Return the joins that may be drawn, the best first; found: the best first by the estimate."""
        at_once = max(self._settings.top_k, JUDGED_AT_ONCE)
        less = _HARDLY_DRAWN * self._settings.temperature
        best: list[Join] = []
        for place in range(0, len(found), at_once):
            if best and best[0].total - less >= found[place].total:
                break
            best += self._judged_all(found[place : place + at_once], exits)
            best.sort(key=lambda join: -join.total)
        return best

    def _judged_all(self, found: Sequence[Join], exits: Sequence[Exit]) -> list[Join]:
        """Judge how songs meet, of those joins that lead from one to another."""
        pool = self.generation.pool
        song = pool.chunk_song
        abroad = [join for join in found if song[join.exit_row] != song[join.entry_row]]
        rows = dict.fromkeys(row for join in abroad for row in (join.exit_row, join.entry_row))
        timelines = self.generation.timelines.read(int(song[row]) for row in rows)
        sides = {row: DoorSide(pool=pool, row=row, timeline=timelines[int(song[row])]) for row in rows}
        of_row = {leaving.row: leaving for leaving in exits}
        judged = {join: self._judged(join, of_row[join.exit_row], sides) for join in abroad}
        return [judged.get(join, join) for join in found]

    def _judged(self, join: Join, leaving: Exit, sides: Mapping[int, DoorSide]) -> Join:
        door = judge_door(sides[join.exit_row], sides[join.entry_row], self._blends)
        if self._settings.whole_songs:
            door = replace(door, plays_out=True)
        estimated = float(leaving.costs_of(join.entry_row)[DOOR])
        judged = self._weights.door * door.worth - estimated
        return replace(join, total=join.total + judged, door=door, judged=judged)

    def terms(self, leaving: Exit, join: Join, view: View) -> dict[str, float]:
        """Return every term of a join by name, in log-odds, and their sum."""
        named: dict[str, float] = {}
        row, now = join.entry_row, view.now.onward
        one = np.array([row])
        at = one if view.rows is None else view.places(one)
        other = self.generation.index.song[row] != self.generation.index.song[leaving.row]
        if join.goes_on:
            named["straight_on"] = self._weights.straight_on
        else:
            values = leaving.costs_of(row)
            liked, _ = self.liking.after(leaving.row)
            named["model"] = float(logits(leaving.scored.scores[row : row + 1])[0])
            named |= {name: float(value) for name, value in zip(COST_TERMS, values, strict=True)}
            named["hub"] = -self._weights.hub * float(self._hubs[row])
            named["liked"] = self._weights.liked if row in liked else 0.0
        named["coverage"] = float(view.coverage[at][0])
        named["favoured"] = float(view.favoured[at][0])
        named["towards"] = float(view.towards[at][0])
        named["due"] = float(now.due(one)[0]) if other else 0.0
        named["arc"] = float(now.arc(one)[0]) if other else 0.0
        named["other_song"] = view.other_song if other else 0.0
        named["walk"] = float(view.walk[at][0])
        named["future"] = float(view.future[at][0])
        named["judged"] = join.judged
        named["total"] = join.total
        return named


def logits(probabilities: FloatArray) -> FloatArray:
    """Return log-odds of probabilities `(n,)`, at most `MOST_LOGIT` either way."""
    bounded = np.clip(probabilities, np.float32(1e-6), np.float32(1.0 - 1e-6))
    odds: FloatArray = np.log(bounded / (np.float32(1.0) - bounded))
    return np.clip(odds, -MOST_LOGIT, MOST_LOGIT).astype(np.float32)
