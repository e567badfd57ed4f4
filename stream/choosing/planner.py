"""The planner chooses what follows, lets phrases last, and draws with a seed among their best joins."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream.choosing.bans import NothingReadableError
from stream.choosing.candidates import Search
from stream.choosing.courses import Courses
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import PlannedExit, PlannerMemory
from stream.choosing.journey.helm import Helm
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.journey.travel import Travel
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import entries
from stream.choosing.rules import (
    any_step,
    anywhere,
    elsewhere,
    plain_step,
    song_starts,
    step_in_order,
    straight_on,
)
from stream.choosing.selection import Selection
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.step import Step
from stream.choosing.walk import Walk
from stream.doors.ranking import DoorRanking
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
        joins: Sequence[LabelledJoin] | None = None,
        steering: Steering = NOT_STEERED,
        memory: PlannerMemory | None = None,
    ) -> None:
        """start: the chunk to begin with; None draws one. joins: what listeners thought of joins so far.

        memory: of another planner, in this generation; the first step stands where that one stood.
        """
        self._settings = settings
        self._helm = Helm(steering)
        self._start = start
        self._joins = joins or []
        self._rng = np.random.default_rng(settings.seed)
        self._reference: Chunk | None = None
        self._courses = Courses(generation, steering.share_of_others(settings.other_songs))
        self._take_up(generation, None)
        self._remembers = memory is not None and memory.chunk is not None
        if memory is not None:
            self._recall(memory)

    def memory(self) -> PlannerMemory:
        """Return what it knows, as if all that is planned had been heard."""
        return PlannerMemory(
            chunk=self._reference,
            generation=self.generation,
            history=self._courses.ahead.copy(),
            draws=self._rng.bit_generator.state,
            leaving=self._plan,
            asked=self._helm.asked,
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
        if self._helm.left_out.all():
            raise NothingReadableError("none of the songs can be read any more; build the pool again")
        if self._reference is not None:  # the first step needs no scores: a stream should sound at once
            self.prepare()
        began_s = time.perf_counter()
        step = self._first() if self._reference is None else self._after(self._reference, leave, deadline_s)
        decision_ms = (time.perf_counter() - began_s) * 1e3
        step = replace(step, decision_ms=decision_ms, ready_at_s=time.monotonic())
        self._courses.plan(step, counted=self._reference is None and self._remembers)
        self._reference = step.chunk
        return step

    def deliver(self, step: Step) -> None:
        """Count a step as played, planned here or not (a fallback of the renderer)."""
        self._courses.deliver(step)
        self._helm.arrive(step.chunk)

    def anchor(self, chunk: Chunk) -> None:
        """Throw away what is planned after `chunk`, or all if it is not planned, and go on from there."""
        if not self._courses.planned and self._reference is not None and self._reference.key == chunk.key:
            return
        self._courses.keep_to(chunk)
        self._reference = chunk
        self._forget_plan()

    def ban(self, audio_hash: str) -> None:
        """Choose no more chunks of this song (its file cannot be read)."""
        self.leave_out(self._helm.banned | {audio_hash})

    def leave_out(self, audio_hashes: frozenset[str]) -> None:
        """Choose no chunks of these songs, and again of all others."""
        if audio_hashes != self._helm.banned:
            self._helm.ban(audio_hashes)
            self._forget_plan()

    def judge(self, joins: Sequence[LabelledJoin]) -> None:
        """Take up what listeners thought of joins: what they disliked does not come back."""
        self._joins = joins
        self._search.judge(joins)
        self._forget_plan()

    def steer(self, steering: Steering) -> None:
        """Choose as a listener wants it from the next step on."""
        if steering == self._helm.steering:
            return
        muted = self._helm.muted
        self._helm.turn(steering)
        self._courses.share = steering.share_of_others(self._settings.other_songs)
        self._lean()
        # What comes back is as due as what was there all along.
        self._courses.come_back(muted & ~self._helm.muted, ~muted)

    def adopt(self, generation: Generation) -> None:
        """Go on in another generation of the pool; what was played stays known."""
        self._courses.move_to(generation)
        self._take_up(generation, self._search.doors.moved(generation.pool))

    def _take_up(self, generation: Generation, doors: DoorRanking | None) -> None:
        self.generation = generation
        self._search = Search(generation, self._settings, self._joins, doors)
        self._travel = Travel(generation, self._settings.weights)
        self._lean()

    def _lean(self) -> None:
        """Find what the steering means in this generation."""
        factor = self._helm.steering.phrase_factor
        self._phrases = Phrases.made(self.generation.pool, self._settings, factor)
        self._search.take_up(self._phrases, factor)
        self._selection = Selection(self._search, self._phrases, self._settings)
        self._walk = Walk(self._search, self._phrases, self._settings) if self._settings.walk else None
        by_phrases = self._settings.strategy == "model" and self._walk is None
        reach = self._search.reach if by_phrases else None
        self._helm.lean(self.generation, self._phrases, reach, self._search.doors)
        self._forget_plan()

    def _forget_plan(self) -> None:
        self._plan: PlannedExit | None = None
        self._selection.forget()

    def _recall(self, memory: PlannerMemory) -> None:
        self._start = memory.chunk or self._start
        self._courses.begin_after(memory.history)
        self._rng.bit_generator.state = dict(memory.draws)
        self._plan, self._helm.asked = memory.leaving, memory.asked

    def _first(self) -> Step:
        if self._start is not None:
            reasons = ("it goes on where it stood",) if self._remembers else ()
            return Step(after=None, chunk=self._start, natural=False, rung="start", reasons=reasons)
        if self._walk is not None:
            pick = self._walk.first(self._helm.left_out, self._rng)
            if pick is not None:
                return pick.step(self.generation, None, NO_SUCCESSOR, ())
        firsts = song_starts(self.generation.index, self._helm.left_out)
        place = 0 if self._settings.strategy == "natural" else int(self._rng.integers(len(firsts)))
        first = self.generation.chunk(int(firsts[place]))
        return Step(after=None, chunk=first, natural=False, rung="start")

    def _after(self, reference: Chunk, leave: bool, deadline_s: float | None) -> Step:
        row = self.generation.row(reference.key)
        if row is None:
            return any_step(reference, self.generation, self._helm.left_out, self._rng)
        natural = int(self.generation.index.successor[row])
        if natural != NO_SUCCESSOR and (leave or self._helm.left_out[natural]):
            natural = NO_SUCCESSOR
        if natural == NO_SUCCESSOR and not leave:
            step = straight_on(reference, row, self.generation, self._helm.left_out, self._settings)
            if step is not None:
                self._forget_plan()
                return step
        if self._settings.strategy == "natural":
            target = self._helm.aim(self._coming())
            helm, generation = self._helm, self.generation
            return step_in_order(reference, row, natural, generation, helm.left_out, target, helm.why)
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
        left = int(np.count_nonzero(~self._helm.left_out))
        window = int(self._settings.no_repeat_share * left)
        history = self._courses.ahead
        here = entries(history, self._phrases, self._helm.left_out, window=window, after=row)
        steered = self._helm.steered(here, self._coming(), history, row, self._settings.weights)
        here = steered.here
        onward = self._travel.onward(history, row, here.allowed, steered.target)
        here = replace(here, reasons=(*here.reasons, *onward.reasons))
        first_row, exits = row, [row]
        if self._settings.strategy == "model" and not asked:
            # A song that is played whole goes on, however lately it was heard.
            stops = self._helm.left_out if self._settings.whole_songs else here.blocked
            first_row, exits = self._selection.exits_from(row, stops, history, steered.until_s)
        return Situation(
            reference=reference,
            row=row,
            natural=natural,
            here=here,
            history=history,
            first_row=first_row,
            onward=onward,
            exits=exits,
            pull=steered.pull,
            aims=steered.target is not None,
            departs=steered.departs,
            asked=asked,
            deadline_s=deadline_s,
        )

    def _coming(self) -> list[Chunk]:
        """Return where it stands, and what is planned."""
        here = [] if self._reference is None else [self._reference]
        return [*here, *(step.chunk for step in self._courses.planned)]

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
        step = choice.step(self.generation, now, reasons)
        return step, PlannedExit(exit_row=choice.exit_row, step=step)

    def _walk_on(self, walk: Walk, now: Situation) -> Step:
        """Go on to the next bucket of the walk."""
        reasons = ("next was asked for", *now.here.reasons) if now.asked else now.here.reasons
        pick = walk.draw(now, self._rng)
        if pick is None:
            return self._elsewhere(now, reasons)
        return pick.step(self.generation, now.reference, now.natural, reasons)

    def _elsewhere(self, now: Situation, reasons: tuple[str, ...]) -> Step:
        return elsewhere(now, self.generation, self._helm.left_out, self._rng, reasons)
