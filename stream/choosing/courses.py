"""The courses know what was heard of a generation, and what will have been once all that is planned is."""

from dataclasses import replace

import numpy as np

from model.base.arrays import BoolArray
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import Course
from stream.choosing.step import Step


class Courses:
    """Two courses of one stream and the steps between them; belongs to one thread.

    A planned step counts as heard only when it is delivered, so that plans can be thrown away; choices look
    at `ahead`, so that planning ahead changes none.
    """

    def __init__(self, generation: Generation, share: float) -> None:
        """share: of joins to other songs that is wanted; it may be changed."""
        self.share = share
        self._generation = generation
        self._heard = Course.new(len(generation.index))
        self.ahead = Course.new(len(generation.index))
        """As if all that is planned had been heard."""
        self._planned: list[Step] = []
        self._last: Chunk | None = None
        """What was delivered last."""
        self._counted: Step | None = None

    @property
    def planned(self) -> tuple[Step, ...]:
        """Steps that are planned and not heard, in order."""
        return tuple(self._planned)

    def begin_after(self, heard: Course) -> None:
        """Go on where another course ended."""
        self._heard = heard.copy()
        self._look_again()

    def plan(self, step: Step, *, counted: bool = False) -> None:
        """Add a planned step; counted: the course that it began after holds it already."""
        if counted:
            self._counted = step
        self._planned.append(step)
        self._follow(self.ahead, step)

    def deliver(self, step: Step) -> None:
        """Count a step as heard, planned or not (a fallback of the renderer)."""
        in_order = bool(self._planned) and self._planned[0] is step
        if in_order:
            del self._planned[0]
        elif step in self._planned:
            # Steps before it were jumped over.
            del self._planned[: self._planned.index(step) + 1]
        self._follow(self._heard, step)
        self._last = step.chunk
        if self._heard.played.is_long:
            self._heard.played.settle()
            in_order = False
        if not in_order:
            self._look_again()

    def keep_to(self, chunk: Chunk) -> None:
        """Throw away what is planned after `chunk`, or all if it is not planned."""
        kept = next((n for n, step in enumerate(self._planned, 1) if step.chunk is chunk), 0)
        del self._planned[kept:]
        if not kept and (self._last is None or self._last.key != chunk.key):
            # Whatever sounds there, it is not the song that was left last.
            self._heard.overlap_s = 0.0
        self._look_again()

    def come_back(self, back: BoolArray, there: BoolArray) -> None:
        """Count chunks that come back as heard as often as those that were there, `(N,)` each."""
        if back.any() and there.any():
            plays, rows = self._heard.plays, np.flatnonzero(back)
            heard, least = self._heard.played.of(rows), int(plays[there].mean())
            self._heard.played.put(rows, replace(heard, plays=np.maximum(heard.plays, least)))
            self._look_again()

    def move_to(self, generation: Generation) -> None:
        """Go on in another generation of the pool; what was heard stays known."""
        self._heard = self._heard.moved(self._generation, generation)
        self._generation = generation
        self._look_again()

    def _look_again(self) -> None:
        self.ahead = self._heard.copy()
        for step in self._planned:
            self._follow(self.ahead, step)

    def _follow(self, course: Course, step: Step) -> None:
        if step is self._counted:
            return
        course.follow(
            self._generation.row(step.chunk.key),
            goes_on=step.natural and not step.renews,
            other_song=step.leaves_song if step.ends_phrase else None,
            share=self.share,
            length_s=step.length_s,
            overlap_s=0.0 if step.door is None else step.door.overlap_s,
            stop=step.stop,
        )
