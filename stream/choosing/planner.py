"""The planner chooses what follows, lets phrases last, and draws with a seed among their best joins."""

import time
from dataclasses import replace

import numpy as np

from model.base.arrays import BoolArray
from stream.choosing.bans import NothingReadableError
from stream.choosing.candidates import Search
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import Course, PlannedExit, PlannerMemory
from stream.choosing.journey.leaning import Leaning, Steered, opened_to
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import Entries, entries
from stream.choosing.rules import any_step, anywhere, elsewhere, next_in_order, plain_step, song_starts
from stream.choosing.selection import Selection
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.step import Step
from stream.choosing.walk import Walk
from stream.index.edge_index import NO_SUCCESSOR
from stream.pool.feedback import LabelledJoin

JOIN_LATER = "the join comes later"


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
        steering: Steering = NOT_STEERED,
        memory: PlannerMemory | None = None,
    ) -> None:
        """start: the chunk to begin with; None draws one. joins: what listeners thought of joins so far.

        memory: of another planner, in this generation; the first step stands where that one stood.
        """
        self._settings = settings
        self._steering = steering
        self._asked_at: int | None = None
        """How many phrases had ended when it was first looked for the song that is asked for."""
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
        self._counted: Step | None = None
        """The step that a memory begins with, which its history holds already."""
        self._remembers = memory is not None and memory.chunk is not None
        if memory is not None:
            self._recall(memory)

    def memory(self) -> PlannerMemory:
        """Return what it knows, as if all that is planned had been heard."""
        return PlannerMemory(
            chunk=self._reference,
            generation=self.generation,
            history=self._ahead.copy(),
            draws=self._rng.bit_generator.state,
            leaving=self._plan,
            asked_at=self._asked_at,
        )

    @property
    def settings(self) -> PlannerSettings:
        """What it goes by where nobody steers."""
        return self._settings

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
        if self._left_out.all():
            raise NothingReadableError("none of the songs can be read any more; build the pool again")
        if self._reference is not None:  # the first step needs no scores: a stream should sound at once
            self.prepare()
        began_s = time.perf_counter()
        step = self._first() if self._reference is None else self._after(self._reference, leave, deadline_s)
        decision_ms = (time.perf_counter() - began_s) * 1e3
        step = replace(step, decision_ms=decision_ms, ready_at_s=time.monotonic())
        if self._reference is None and self._remembers:
            self._counted = step
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
        if self._is_reached(step.chunk):
            self._steering, self._asked_at = replace(self._steering, towards=None), None
        if not in_order:
            self._look_again()

    def anchor(self, chunk: Chunk) -> None:
        """Throw away what is planned after `chunk`, or all if it is not planned, and go on from there."""
        if not self._planned and self._reference is not None and self._reference.key == chunk.key:
            return
        kept = next((n for n, step in enumerate(self._planned, 1) if step.chunk is chunk), 0)
        del self._planned[kept:]
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

    def steer(self, steering: Steering) -> None:
        """Choose as a listener wants it from the next step on."""
        if steering == self._steering:
            return
        if steering.towards != self._steering.towards:
            self._asked_at = None
        muted, self._steering = self._leaning.muted, steering
        self._lean()
        # What comes back is as due as what was there all along.
        back, there = muted & ~self._leaning.muted, ~muted
        if back.any() and there.any():
            plays = self._heard.plays
            plays[back] = np.maximum(plays[back], int(plays[there].mean()))
            self._look_again()

    def adopt(self, generation: Generation) -> None:
        """Go on in another generation of the pool; what was played stays known."""
        self._heard = self._heard.moved(self.generation, generation)
        self._take_up(generation)
        self._look_again()

    def _take_up(self, generation: Generation) -> None:
        self.generation = generation
        self._search = Search(generation, self._settings, self._joins)
        self._lean()

    def _lean(self) -> None:
        """Find what the steering means in this generation."""
        pool, factor = self.generation.pool, self._steering.phrase_factor
        self._phrases = Phrases.of_pool(pool, self._settings, factor)
        by_phrases = self._settings.strategy == "model" and not self._settings.walk
        reach = self._search.reach if by_phrases else None
        self._leaning = Leaning.of(self.generation, self._steering, self._phrases, reach)
        self._search.future.measure(self._phrases)
        self._selection = Selection(self._search, self._phrases, self._settings)
        self._walk = Walk(self._search, self._phrases, self._settings) if self._settings.walk else None
        self._mark_banned()
        self._forget_plan()

    def _forget_plan(self) -> None:
        self._plan: PlannedExit | None = None
        self._selection.forget()

    def _look_again(self) -> None:
        self._ahead = self._heard.copy()
        for step in self._planned:
            self._follow(self._ahead, step)

    def _recall(self, memory: PlannerMemory) -> None:
        self._start = memory.chunk or self._start
        self._heard = memory.history.copy()
        self._look_again()
        self._rng.bit_generator.state = dict(memory.draws)
        self._plan, self._asked_at = memory.leaving, memory.asked_at

    def _follow(self, course: Course, step: Step) -> None:
        if step is self._counted:
            return
        joined = step.after is not None and not step.natural
        course.follow(
            self.generation.row(step.chunk.key),
            natural=step.natural,
            other_song=step.leaves_song if joined else None,
            share=self._steering.share_of_others(self._settings.other_songs),
            stop=step.stop,
        )

    def _mark_banned(self) -> None:
        hashes = [song.audio_hash in self._banned_hashes for song in self.generation.pool.songs]
        banned = np.array(hashes, dtype=np.bool_)[self.generation.index.song]
        self._left_out: BoolArray
        self._left_out, self._why = self._leaning.left_out(banned)

    def _is_reached(self, chunk: Chunk) -> bool:
        song = self._steering.towards
        return song is not None and chunk.generation.song_of(song) == chunk.song_index

    def _first(self) -> Step:
        if self._start is not None:
            reasons = ("it goes on where it stood",) if self._remembers else ()
            return Step(after=None, chunk=self._start, natural=False, rung="start", reasons=reasons)
        if self._walk is not None:
            pick = self._walk.first(self._left_out, self._rng)
            if pick is not None:
                return pick.step(self.generation, None, NO_SUCCESSOR, ())
        firsts = song_starts(self.generation.index, self._left_out)
        place = 0 if self._settings.strategy == "natural" else int(self._rng.integers(len(firsts)))
        first = self.generation.chunk(int(firsts[place]))
        return Step(after=None, chunk=first, natural=False, rung="start")

    def _after(self, reference: Chunk, leave: bool, deadline_s: float | None) -> Step:
        row = self.generation.row(reference.key)
        if row is None:
            return any_step(reference, self.generation, self._left_out, self._rng)
        natural = int(self.generation.index.successor[row])
        if natural != NO_SUCCESSOR and (leave or self._left_out[natural]):
            natural = NO_SUCCESSOR
        if self._settings.strategy == "natural":
            return self._in_order(reference, row, natural)
        if self._plan is not None and not leave:
            return self._carry_out(self._plan, reference, row, natural)
        now = self._situation(reference, row, natural, asked=leave, deadline_s=deadline_s)
        if self._settings.strategy == "random":
            return anywhere(now, self.generation, self._rng)
        if self._walk is not None:
            return self._walk_on(self._walk, now)
        return self._phrase(now)

    def _situation(
        self, reference: Chunk, row: int, natural: int, *, asked: bool, deadline_s: float | None
    ) -> Situation:
        left = int(np.count_nonzero(~self._left_out))
        window = int(self._settings.no_repeat_share * left)
        here = entries(self._ahead, self._phrases, self._left_out, window=window, after=row)
        steered = self._steered(here)
        here = steered.here
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
            pull=steered.pull,
            asked=asked,
            deadline_s=deadline_s,
        )

    def _steered(self, here: Entries) -> Steered:
        """Return where a phrase may begin as a listener wants it."""
        target = self._aim()
        if target is not None and self._asked_at is None:
            self._asked_at = self._ahead.joins
        phrases_since = 0 if self._asked_at is None else max(0, self._ahead.joins - self._asked_at)
        here = replace(here, reasons=(*self._why, *here.reasons))
        if target is None:
            return self._leaning.at_ease(here, self._settings.weights)
        here = opened_to(here, target, self._phrases)
        return self._leaning.aimed(here, target, phrases_since, self._settings.weights)

    def _aim(self) -> BoolArray | None:
        """Return what of the song to be reached may be played, `(N,)`; None once that is planned."""
        if self._steering.towards is None or self._leaning.target is None:
            return None
        here = [] if self._reference is None else [self._reference]
        target = self._leaning.target & ~self._left_out
        reached = any(self._is_reached(chunk) for chunk in (*here, *(step.chunk for step in self._planned)))
        return None if reached or not target.any() else target

    def _carry_out(self, plan: PlannedExit, reference: Chunk, row: int, natural: int) -> Step:
        """Go on to the exit that was chosen, and there take the join."""
        if row == plan.exit_row:
            self._forget_plan()
            return replace(plan.step, after=reference)
        return self._on(reference, natural, plan.step.rung, reasons=(JOIN_LATER,))

    def _phrase(self, now: Situation) -> Step:
        """Go on in the phrase, or leave it where that is best, or where it was asked for."""
        if now.asked:
            self._forget_plan()
        elif not now.must_leave and not self._selection.score_ahead(now):
            return self._on(now.reference, now.natural, "phrase")
        step, plan = self._leave(now)
        if now.must_leave and (plan is None or plan.exit_row == now.row):
            self._forget_plan()
            return step
        self._plan = plan
        rung = step.rung if now.must_leave else "phrase"
        return self._on(now.reference, now.natural, rung, step.considered, reasons=(JOIN_LATER,))

    def _on(
        self,
        reference: Chunk,
        natural: int,
        rung: str,
        considered: int = 1,
        reasons: tuple[str, ...] = (),
    ) -> Step:
        """Go on in the song."""
        return plain_step(
            self.generation, reference, natural, natural, rung, considered=considered, reasons=reasons
        )

    def _leave(self, now: Situation) -> tuple[Step, PlannedExit | None]:
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
        return step, PlannedExit(exit_row=choice.exit_row, step=step)

    def _walk_on(self, walk: Walk, now: Situation) -> Step:
        """Go on to the next bucket of the walk."""
        reasons = ("next was asked for", *now.here.reasons) if now.asked else now.here.reasons
        pick = walk.draw(now, self._rng)
        if pick is None:
            return self._elsewhere(now, reasons)
        return pick.step(self.generation, now.reference, now.natural, reasons)

    def _elsewhere(self, now: Situation, reasons: tuple[str, ...]) -> Step:
        return elsewhere(now, self.generation, self._left_out, self._rng, reasons)

    def _in_order(self, reference: Chunk, row: int, natural: int) -> Step:
        target = self._aim()
        starts = song_starts(self.generation.index, self._left_out if target is None else ~target)
        following = next_in_order(row, natural, starts if target is None else starts[:1])
        return plain_step(self.generation, reference, following, natural, "natural", reasons=self._why)
