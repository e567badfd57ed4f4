"""The told joins are those of a stream, past and to come, as a listener judges them and hears them again."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import Generation
from stream.choosing.ready.step_source import StepSource
from stream.choosing.step import Step
from stream.engine.past import JoinRecord, Past, PlacedJoin
from stream.engine.preview import Preview
from stream.engine.renderer import Renderer
from stream.joins.join_planner import JoinPlanner
from stream.pool.feedback import HeardJoin, LabelledJoin, forget, labelled_joins, remember


@dataclass(frozen=True, kw_only=True, eq=False)
class _Coming:
    n: int
    step: Step


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the next join follows from."""

    decisions: int
    pending: Step | None
    planned: tuple[Step, ...]

    def coming(self) -> _Coming | None:
        steps = self.planned if self.pending is None else (self.pending,)
        places = (place for place, step in enumerate(steps) if step.after is not None and not step.natural)
        place = next(places, None)
        return None if place is None else _Coming(n=self.decisions + place, step=steps[place])


class ToldJoins:
    """What can be asked of a stream's joins; any thread, but for `look`.

    The pool's current generation comes with each question: none is held.
    """

    def __init__(
        self,
        past: Past,
        joins: JoinPlanner,
        folder: Path,
        judged: Sequence[LabelledJoin],
        tell: Callable[[Sequence[LabelledJoin]], object],
    ) -> None:
        """past: of the stream. joins: of its renderer. folder: of its pool. judged: joins so far.

        tell: is told all that are judged, oldest first, whenever that changes.
        """
        self._tell = tell
        self._past = past
        self._joins = joins
        self._folder = folder
        self._labels = {_bare(join): join.label for join in judged}
        self._coming: _Coming | None = None
        # Of the thread that renders.
        self._seen: _Seen | None = None
        self._next: Step | None = None
        # Held while a judgement is written, by who judges: no thread that plays or plans ever waits for it.
        self._judging = threading.Lock()
        # Held while a join is heard again; who asks meanwhile is refused.
        self._previewing = threading.Lock()

    def look(self, renderer: Renderer, source: StepSource) -> Step | None:
        """See which join comes next, and return the next step that leaves the song, else the next one.

        For the thread that renders.
        """
        pending, planned = renderer.pending, tuple(source.planned())
        seen = _Seen(decisions=self._past.decisions, pending=pending, planned=planned)
        if seen != self._seen:
            # As long as nothing is decided, which is in most blocks, the answer is that of before.
            self._seen, self._next = seen, source.peek()
            self._coming = seen.coming()
        return self._next

    def joins(self, generation: Generation) -> Sequence[JoinRecord]:
        """Return the latest joins that are rendered or about to be, newest last."""
        return [self._told(placed, generation) for placed in self._past.joins]

    def upcoming(self, generation: Generation, time_frames: int) -> JoinRecord | None:
        """Return the join that comes next, as far as it is planned; time_frames: stream time now."""
        placed = self._placed_coming()
        if placed is None:
            return None
        in_s = (placed.middle_frames - time_frames) / self._joins.settings.engine_rate_hz
        return replace(self._told(placed, generation), in_s=max(0.0, in_s))

    def judge(self, n: int, liked: bool | None, generation: Generation) -> JoinRecord:
        """Remember what a listener thinks of a join, as `label` does, and return it; None: nothing any more.

        `EndlosError` for a join that is not known, `PoolError` when the pool cannot be written.
        """
        placed = self._find(n)
        self.label(placed.record.heard, liked)
        return self._told(placed, generation)

    def label(self, heard: HeardJoin, liked: bool | None) -> None:
        """Remember what a listener thinks of a join, known or not, in the pool, and have the planner told.

        `PoolError` when it cannot be written.
        """
        with self._judging:
            if liked is None:
                forget(self._folder, heard)
            else:
                remember(self._folder, LabelledJoin(**asdict(heard), label=int(liked)))
            # All of them, as another stream of the pool may have been judged as well.
            judged = labelled_joins(self._folder)
            self._labels = {_bare(join): join.label for join in judged}
            self._tell(judged)

    def preview(self, n: int, generation: Generation) -> FloatArray:
        """Return `(frames, 2)` float32: a join as it sounded, or will sound, with what is around it.

        `EndlosError` for a join that is not known, while another one is heard, and where a song has changed.
        """
        if not self._previewing.acquire(blocking=False):
            raise EndlosError("another join is being heard at this moment; ask again in a second")
        try:
            placed = self._find(n)
            preview = Preview(generation, self._joins.settings)
            try:
                return preview.render(placed, self._past.joins)
            finally:
                preview.close()
        finally:
            self._previewing.release()

    def _find(self, n: int) -> PlacedJoin:
        found = next((placed for placed in self._past.joins if placed.record.n == n), None)
        if found is None:
            coming = self._placed_coming()
            found = coming if coming is not None and coming.record.n == n else None
        if found is None:
            raise EndlosError(f"no join {n} is remembered; ask for one of the latest, or the next")
        return found

    def _placed_coming(self) -> PlacedJoin | None:
        coming = self._coming
        if coming is None:
            return None
        return self._past.coming(coming.n, coming.step, self._joins)

    def _told(self, placed: PlacedJoin, generation: Generation) -> JoinRecord:
        """Return its record with what is thought of it, and where its chunks are now."""
        leaves, enters = generation.row(placed.leaves), generation.row(placed.enters)
        return replace(
            placed.record,
            label=self._labels.get(placed.record.heard),
            chunk_from=-1 if leaves is None else leaves,
            chunk_to=-1 if enters is None else enters,
        )


def _bare(join: LabelledJoin) -> HeardJoin:
    fields = asdict(join)
    del fields["label"]
    return HeardJoin(**fields)
