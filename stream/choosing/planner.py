"""The planner chooses what follows, lets phrases last, and draws with a seed among their best joins."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from model.base.arrays import IntArray
from stream.choosing.bans import NothingReadableError
from stream.choosing.candidates import Search
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import Course
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import entries
from stream.choosing.selection import Selection
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.step import Step
from stream.choosing.walk import Walk
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
        if self._settings.strategy == "model" and self._walk is None:
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
        self.generation = generation
        self._phrases = Phrases.of_pool(generation.pool, self._settings)
        self._search = Search(generation, self._phrases, self._settings, self._joins)
        self._selection = Selection(self._search, self._phrases, self._settings)
        self._walk = Walk(self._search, self._phrases, self._settings) if self._settings.walk else None
        self._banned = np.zeros(len(generation.index), dtype=np.bool_)
        self._mark_banned()
        self._forget_plan()

    def _forget_plan(self) -> None:
        self._plan: _Plan | None = None
        self._selection.forget()

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
            stop=step.stop,
        )

    def _mark_banned(self) -> None:
        hashes = [song.audio_hash in self._banned_hashes for song in self.generation.pool.songs]
        self._banned[:] = np.array(hashes, dtype=np.bool_)[self.generation.index.song]

    def _first(self) -> Step:
        if self._start is not None:
            return Step(after=None, chunk=self._start, natural=False, rung="start")
        if self._walk is not None:
            pick = self._walk.first(self._banned, self._rng)
            if pick is not None:
                return pick.step(self.generation, None, NO_SUCCESSOR, ())
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
        if self._plan is not None and not leave:
            return self._carry_out(self._plan, reference, row, natural)
        now = self._situation(reference, row, natural, asked=leave, deadline_s=deadline_s)
        if self._settings.strategy == "random":
            return self._anywhere(now)
        if self._walk is not None:
            return self._walk_on(self._walk, now)
        return self._phrase(now)

    def _situation(
        self, reference: Chunk, row: int, natural: int, *, asked: bool, deadline_s: float | None
    ) -> Situation:
        window = int(self._settings.no_repeat_share * len(self.generation.index))
        here = entries(self._ahead, self._phrases, self._banned, window=window, after=row)
        first_row, exits = row, [row]
        if self._settings.strategy == "model" and not asked:
            first_row, exits = self._selection.exits_from(row, here, self._ahead)
        return Situation(
            reference=reference,
            row=row,
            natural=natural,
            here=here,
            history=self._ahead,
            first_row=first_row,
            exits=exits,
            asked=asked,
            deadline_s=deadline_s,
        )

    def _carry_out(self, plan: _Plan, reference: Chunk, row: int, natural: int) -> Step:
        """Go on to the exit that was chosen, and there take the join."""
        if row == plan.exit_row:
            self._forget_plan()
            return replace(plan.step, after=reference)
        return self._step(reference, natural, natural, plan.step.rung, reasons=("the join comes later",))

    def _phrase(self, now: Situation) -> Step:
        """Go on in the phrase, or leave it where that is best, or where it was asked for."""
        if now.asked:
            self._forget_plan()
        elif not now.must_leave and not self._selection.score_ahead(now):
            return self._step(now.reference, now.natural, now.natural, "phrase")
        step, plan = self._leave(now)
        if now.must_leave and (plan is None or plan.exit_row == now.row):
            self._forget_plan()
            return step
        self._plan = plan
        return self._step(
            now.reference,
            now.natural,
            now.natural,
            step.rung if now.must_leave else "phrase",
            considered=step.considered,
            reasons=("the join comes later",),
        )

    def _leave(self, now: Situation) -> tuple[Step, _Plan | None]:
        """Choose the join that ends the phrase; no plan comes with a step that the rules alone chose."""
        reasons = ("next was asked for", *now.here.reasons) if now.asked else now.here.reasons
        choice = self._selection.draw(now, self._rng)
        if choice is None:
            return self._elsewhere(now, reasons), None
        step = Step(
            after=now.reference,
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
        return step, _Plan(exit_row=choice.exit_row, step=step)

    def _walk_on(self, walk: Walk, now: Situation) -> Step:
        """Go on to the next bucket of the walk."""
        reasons = ("next was asked for", *now.here.reasons) if now.asked else now.here.reasons
        pick = walk.draw(now, self._rng)
        if pick is None:
            return self._elsewhere(now, reasons)
        return pick.step(self.generation, now.reference, now.natural, reasons)

    def _elsewhere(self, now: Situation, reasons: tuple[str, ...]) -> Step:
        """Go where it is allowed, else to what was heard longest ago, and on only if nothing else is left."""
        natural = int(self.generation.index.successor[now.row])
        others = ~self._banned
        others[[now.row, natural] if natural != NO_SUCCESSOR else [now.row]] = False
        if not others.any():
            others = ~self._banned
        choices = np.flatnonzero(others & now.here.allowed)
        if not len(choices):
            choices = np.flatnonzero(others)
            choices = choices[np.argsort(now.history.last_played[choices], kind="stable")[:1]]
        reasons = (*reasons, "nothing that is scored may follow now")
        return self._step(now.reference, int(self._rng.choice(choices)), natural, "rules", reasons=reasons)

    def _anywhere(self, now: Situation) -> Step:
        """Draw any chunk that was not heard lately."""
        index, row = self.generation.index, now.row
        mask, reasons = ~now.here.blocked, list(now.here.reasons)
        mask[row] = False
        if not mask.any():
            mask = now.here.allowed
        if now.asked:
            reasons.append("next was asked for")
            for left_out in (index.song == index.song[row], np.arange(len(index)) == index.successor[row]):
                if (mask & ~left_out).any():
                    mask &= ~left_out
                    break
        choice = int(self._rng.choice(np.flatnonzero(mask)))
        considered = int(np.count_nonzero(mask))
        return self._step(
            now.reference, choice, now.natural, "random", considered=considered, reasons=reasons
        )

    def _in_order(self, reference: Chunk, row: int, natural: int) -> Step:
        if natural != NO_SUCCESSOR:
            following = natural
        else:
            firsts = self._song_starts()
            later = firsts[firsts > row]
            following = int(later[0] if len(later) else firsts[0])
        return self._step(reference, following, natural, "natural")

    def _song_starts(self) -> IntArray:
        """Return where music begins: the first chunk of each song, and each after a silence in one."""
        follows = self.generation.index.successor[:-1] != NO_SUCCESSOR
        firsts = np.flatnonzero(np.append(True, ~follows))
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
