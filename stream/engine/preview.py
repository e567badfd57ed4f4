"""A preview plays a join again as it sounded, or one to come as it will sound, beside the stream."""

from collections.abc import Sequence
from dataclasses import replace

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.audio.spans import SpanReader
from stream.choosing.generation import Chunk, Generation
from stream.choosing.step import Step
from stream.engine.given_steps import GivenSteps, KnownJoins
from stream.engine.past import PlacedJoin
from stream.engine.renderer import Beginning, Renderer
from stream.joins.join_planner import JoinPlanner
from stream.joins.settings import SoundSettings
from stream.pool.pool import ChunkKey

AROUND_S = 6.0
"""So much is heard before the middle of the join, and after it."""
_LEAD_S = 0.05
"""It begins this much earlier: the limiter looks back and ahead no further."""
_OPEN_FILES, _CACHE_BYTES = 4, 8 * 2**20


class Preview:
    """Songs of one generation, read by handles of its own; belongs to one thread."""

    def __init__(self, generation: Generation, settings: SoundSettings) -> None:
        """generation: of which all but the reader is used; it may be retired meanwhile."""
        self._reader = SpanReader(
            generation.pool, settings.engine_rate_hz, max_open_files=_OPEN_FILES, cache_bytes=_CACHE_BYTES
        )
        self._generation = replace(generation, reader=self._reader)
        self._settings = settings

    def render(self, join: PlacedJoin, played: Sequence[PlacedJoin]) -> FloatArray:
        """Return `(frames, 2)` float32 around the middle of a join, at the engine's rate.

        played: joins of the same stream in order, `join` maybe among them; those nearby are heard as well.
        Where nothing is known of the stream, songs go on as they are. `EndlosError` when a song has changed.
        """
        rate_hz = self._settings.engine_rate_hz
        around = round(AROUND_S * rate_hz)
        first_frame, stop_frame = join.middle_frames - around, join.middle_frames + around
        heard, begin_frame = _from(join, played, first_frame, round(_LEAD_S * rate_hz))
        heard = [one for one in heard if one.middle_frames - one.plan.before_frames < stop_frame]
        leaving = heard[0]
        joins = KnownJoins(self._settings, JoinPlanner(self._settings).reach_frames)
        steps = [Step(after=None, chunk=self._chunk(leaving.leaves), natural=False, rung="preview")]
        for one in heard:
            step = Step(after=None, chunk=self._chunk(one.enters), natural=False, rung="preview")
            joins.plans[step] = one.plan
            steps.append(step)
        given = GivenSteps(steps, joins)
        begins = leaving.plan.begin_frame - (leaving.middle_frames - leaving.plan.before_frames - begin_frame)
        renderer = Renderer(
            given,
            given,
            # Each join is taken as soon as the one before is made, for it may begin anywhere in its chunk.
            on_decision=lambda decision: None if decision.before is None else renderer.jump(),
            begin=Beginning(frame=begins, release=leaving.release),
        )
        renderer.jump()
        return renderer.render(stop_frame - begin_frame)[first_frame - begin_frame :]

    def close(self) -> None:
        """Close the songs."""
        self._reader.close()

    def _chunk(self, key: ChunkKey) -> Chunk:
        row = self._generation.row(key)
        if row is None:
            raise EndlosError(
                "a song of this join has left the pool or was cut anew since; only newer joins can be heard"
            )
        return self._generation.chunk(row)


def _from(
    join: PlacedJoin, played: Sequence[PlacedJoin], first_frame: int, lead_frames: int
) -> tuple[list[PlacedJoin], int]:
    """Return the joins to be played up to `join` and after it, and the stream time to begin at.

    Each join is played from before its fade, so that another one may come into sight.
    """
    numbers = {one.record.n for one in played}
    chain = [*played] if join.record.n in numbers else [*played, join]
    place = next(n for n, one in enumerate(chain) if one.record.n == join.record.n)
    begin_frame = first_frame - lead_frames
    begin_frame = min(begin_frame, join.middle_frames - join.plan.before_frames - lead_frames)
    while place > 0:
        before = chain[place - 1]
        if before.middle_frames + before.plan.after_frames <= begin_frame:
            break
        begin_frame = min(begin_frame, before.middle_frames - before.plan.before_frames - lead_frames)
        place -= 1
    return chain[place:], begin_frame
