"""The planner chooses what follows, lets phrases last, and draws with a seed among their best joins."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from model.base.arrays import BoolArray, IntArray
from stream.choosing.bans import NothingReadableError
from stream.choosing.candidates import Search
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import Course
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import Entries, entries
from stream.choosing.selection import Leaving
from stream.choosing.settings import PlannerSettings
from stream.choosing.step import Step
from stream.index.edge_index import NO_SUCCESSOR
from stream.pool.feedback import LabelledJoin


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """How the phrase that is played ends: leave after a chunk, for another."""

    exit_row: int
    step: Step
    """The join, but for the chunk that it leaves."""


class Planner:
    """Plans step after step from a reference chunk; belongs to one thread.

    A planned step counts as played only when it is delivered, so that plans can be thrown away.
    """

    def __init__(
        self,
        generation: Generation,
        settings: PlannerSettings,
        start: Chunk | None = None,
        joins: list[LabelledJoin] | None = None,
    ) -> None:
        """start: the chunk to begin with; None draws one. joins: what listeners thought of joins so far."""
        self._settings = settings
        self._start = start
        self._joins = joins or []
        self._rng = np.random.default_rng(settings.seed)
        self._reference: Chunk | None = None
        self._planned: list[Step] = []
        self._heard = Course.new(len(generation.index))
        # As if what is planned had been heard: planning ahead changes no choice.
        self._ahead = Course.new(len(generation.index))
        self._banned_hashes: frozenset[str] = frozenset()
        self._take_up(generation)

    @property
    def has_decided(self) -> bool:
        """Whether the next step, unless it has to leave, carries out a join that is chosen already."""
        return self._plan is not None

    def prepare(self) -> None:
        """Do beforehand what the first decision would wait for."""
        if self._settings.strategy == "model":
            self._search.prepare()

    def next(self, *, leave: bool = False, deadline_s: float | None = None) -> Step:
        """Plan the step after the last planned one; with `leave`, into another song if there is one.

        deadline_s: when it must be ready, by the monotonic clock; None takes the time that it takes.
        Raises `NothingReadableError` when every song is left out.
        """
        if self._banned.all():
            raise NothingReadableError("none of the songs can be read any more; build the pool again")
        if self._reference is not None:
            # The first step needs no scores, and a stream should sound at once.
            self.prepare()
        began_s = time.perf_counter()
        step = self._first() if self._reference is None else self._after(self._reference, leave, deadline_s)
        decision_ms = (time.perf_counter() - began_s) * 1e3
        step = replace(step, decision_ms=decision_ms, ready_at_s=time.monotonic())
        self._planned.append(step)
        self._follow(self._ahead, step)
        self._reference = step.chunk
        return step

    def deliver(self, step: Step) -> None:
        """Count a step as played, planned here or not (a fallback of the renderer)."""
        in_order = bool(self._planned) and self._planned[0] is step
        if in_order:
            del self._planned[0]
        elif step in self._planned:
            # Steps before it were jumped over.
            del self._planned[: self._planned.index(step) + 1]
        self._follow(self._heard, step)
        if not in_order:
            self._look_again()

    def anchor(self, chunk: Chunk) -> None:
        """Throw planned steps away and go on from `chunk`."""
        if not self._planned and self._reference is not None and self._reference.key == chunk.key:
            return
        self._planned.clear()
        self._reference = chunk
        self._look_again()
        self._forget_plan()

    def ban(self, audio_hash: str) -> None:
        """Choose no more chunks of this song (its file cannot be read)."""
        self.leave_out(self._banned_hashes | {audio_hash})

    def leave_out(self, audio_hashes: frozenset[str]) -> None:
        """Choose no chunks of these songs, and again of all others."""
        if audio_hashes != self._banned_hashes:
            self._banned_hashes = audio_hashes
            self._mark_banned()
            self._forget_plan()

    def judge(self, joins: list[LabelledJoin]) -> None:
        """Take up what listeners thought of joins: what they disliked does not come back."""
        self._joins = joins
        self._search.judge(joins)
        self._forget_plan()

    def adopt(self, generation: Generation) -> None:
        """Go on in another generation of the pool; what was played stays known."""
        self._heard = self._heard.moved(self.generation, generation)
        self._take_up(generation)
        self._look_again()

    def _take_up(self, generation: Generation) -> None:
        settings = self._settings
        self.generation = generation
        self._phrases = Phrases.of_pool(
            generation.pool,
            least_s=settings.min_phrase_s,
            # Without a least length in seconds there is none in bars either.
            least_bars=settings.min_phrase_bars if settings.min_phrase_s > 0 else 0,
            most_s=settings.max_phrase_s,
        )
        self._search = Search(generation, self._phrases, settings.weights, self._joins)
        self._leaving = Leaving(
            self._search,
            self._phrases,
            weights=settings.weights,
            top_k=settings.top_k,
            temperature=settings.temperature,
            joins_ahead=settings.joins_ahead,
            discount=settings.discount,
        )
        self._banned = np.zeros(len(generation.index), dtype=np.bool_)
        self._mark_banned()
        self._forget_plan()

    def _forget_plan(self) -> None:
        self._plan: _Plan | None = None
        self._leaving.forget()

    def _look_again(self) -> None:
        self._ahead = self._heard.copy()
        for step in self._planned:
            self._follow(self._ahead, step)

    def _follow(self, course: Course, step: Step) -> None:
        joined = step.after is not None and not step.natural
        course.follow(
            self.generation.row(step.chunk.key),
            natural=step.natural,
            other_song=step.leaves_song if joined else None,
            share=self._settings.other_songs,
        )

    def _mark_banned(self) -> None:
        hashes = [song.audio_hash in self._banned_hashes for song in self.generation.pool.songs]
        self._banned[:] = np.array(hashes, dtype=np.bool_)[self.generation.index.song]

    def _first(self) -> Step:
        if self._start is not None:
            return Step(after=None, chunk=self._start, natural=False, rung="start")
        firsts = self._song_starts()
        place = 0 if self._settings.strategy == "natural" else int(self._rng.integers(len(firsts)))
        first = self.generation.chunk(int(firsts[place]))
        return Step(after=None, chunk=first, natural=False, rung="start")

    def _after(self, reference: Chunk, leave: bool, deadline_s: float | None) -> Step:
        row = self.generation.row(reference.key)
        if row is None:
            return self._any(reference)
        natural = int(self.generation.index.successor[row])
        if natural != NO_SUCCESSOR and (leave or self._banned[natural]):
            natural = NO_SUCCESSOR
        if self._settings.strategy == "natural":
            return self._in_order(reference, row, natural)
        if self._settings.strategy == "random":
            return self._anywhere(reference, row, natural, leave)
        if leave:
            self._forget_plan()
            step = self._leave(reference, row, [row], row, self._entries(row), deadline_s, asked=True)
            self._forget_plan()
            return step
        return self._phrase(reference, row, natural, deadline_s)

    def _phrase(self, reference: Chunk, row: int, natural: int, deadline_s: float | None) -> Step:
        """Go on in the phrase, or leave it where that is best."""
        plan = self._plan
        if plan is not None and row == plan.exit_row:
            self._forget_plan()
            return replace(plan.step, after=reference)
        if plan is not None:
            return self._step(reference, natural, natural, plan.step.rung, reasons=("the join comes later",))
        here = self._entries(row)
        first_row, exits = self._leaving.window(row, here, self._ahead)
        left_s = None if deadline_s is None else deadline_s - time.monotonic()
        must = row >= exits[0]
        if not must and not self._leaving.score_ahead(exits, here, left_s):
            return self._step(reference, natural, natural, "phrase")
        step = self._leave(reference, row, exits, first_row, here, deadline_s)
        if must and (self._plan is None or self._plan.exit_row == row):
            self._forget_plan()
            return step
        rung = step.rung if must else "phrase"
        reasons = ("the join comes later",)
        return self._step(reference, natural, natural, rung, considered=step.considered, reasons=reasons)

    def _leave(
        self,
        reference: Chunk,
        row: int,
        exits: list[int],
        first_row: int,
        here: Entries,
        deadline_s: float | None,
        *,
        asked: bool = False,
    ) -> Step:
        """Choose the join that ends the phrase, keep it as the plan, and return it.

        asked: for another song, if there is one.
        """
        reasons = ("next was asked for", *here.reasons) if asked else here.reasons
        choice = self._leaving.draw(
            row, exits, first_row, here, self._ahead, self._rng, deadline_s, only_others=asked
        )
        if choice is None:
            return self._elsewhere(reference, row, here.allowed, reasons)
        step = Step(
            after=reference,
            chunk=self.generation.chunk(choice.entry_row),
            natural=False,
            rung=choice.rung,
            score=choice.score,
            rank=choice.rank,
            candidates=len(self.generation.index),
            considered=choice.considered,
            reasons=(*reasons, *choice.reasons),
            terms=choice.terms,
        )
        self._plan = _Plan(exit_row=choice.exit_row, step=step)
        return step

    def _elsewhere(self, reference: Chunk, row: int, allowed: BoolArray, reasons: tuple[str, ...]) -> Step:
        """Go where it is allowed, else to what was heard longest ago, and on only if nothing else is left."""
        natural = int(self.generation.index.successor[row])
        others = ~self._banned
        others[[row, natural] if natural != NO_SUCCESSOR else [row]] = False
        if not others.any():
            others = ~self._banned
        choices = np.flatnonzero(others & allowed)
        if not len(choices):
            choices = np.flatnonzero(others)
            choices = choices[np.argsort(self._ahead.last_played[choices], kind="stable")[:1]]
        reasons = (*reasons, "nothing that is scored may follow now")
        return self._step(reference, int(self._rng.choice(choices)), natural, "rules", reasons=reasons)

    def _entries(self, row: int) -> Entries:
        window = int(self._settings.no_repeat_share * len(self.generation.index))
        return entries(self._ahead, self._phrases, self._banned, window=window, after=row)

    def _anywhere(self, reference: Chunk, row: int, natural: int, leave: bool) -> Step:
        """Draw any chunk that was not heard lately."""
        index, here = self.generation.index, self._entries(row)
        mask, reasons = ~here.blocked, list(here.reasons)
        mask[row] = False
        if not mask.any():
            mask = here.allowed
        if leave:
            reasons.append("next was asked for")
            for left_out in (index.song == index.song[row], np.arange(len(index)) == index.successor[row]):
                if (mask & ~left_out).any():
                    mask &= ~left_out
                    break
        choice = int(self._rng.choice(np.flatnonzero(mask)))
        considered = int(np.count_nonzero(mask))
        return self._step(reference, choice, natural, "random", considered=considered, reasons=reasons)

    def _in_order(self, reference: Chunk, row: int, natural: int) -> Step:
        if natural != NO_SUCCESSOR:
            following = natural
        else:
            firsts = self._song_starts()
            later = firsts[firsts > row]
            following = int(later[0] if len(later) else firsts[0])
        return self._step(reference, following, natural, "natural")

    def _song_starts(self) -> IntArray:
        firsts = np.flatnonzero(np.diff(self.generation.index.song, prepend=-1) != 0)
        return firsts[~self._banned[firsts]]

    def _any(self, reference: Chunk) -> Step:
        row = int(self._rng.choice(np.flatnonzero(~self._banned)))
        reasons = ["the chunk before is no longer in the pool"]
        return self._step(reference, row, NO_SUCCESSOR, "any", reasons=reasons)

    def _step(
        self,
        reference: Chunk,
        row: int,
        natural: int,
        rung: str,
        *,
        considered: int = 1,
        reasons: Iterable[str] = (),
    ) -> Step:
        return Step(
            after=reference,
            chunk=self.generation.chunk(row),
            natural=row == natural,
            rung=rung,
            candidates=len(self.generation.index),
            considered=considered,
            reasons=tuple(reasons),
        )
