"""A standing says where a stream stands, with all that another run of it needs to go on from there."""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from model.base.errors import DecodeError
from stream.choosing.generation import Chunk
from stream.choosing.history import PlannerMemory
from stream.choosing.journey.steering import Steering
from stream.engine.decisions import Decision
from stream.engine.renderer import Beginning
from stream.joins.join_plan import JoinSource
from stream.joins.levels import Release

_log = logging.getLogger(__name__)

_MOST = 32
"""Steps that are planned and not heard yet, at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """Where a stream stands."""

    memory: PlannerMemory
    position_s: float
    """Where in the song of the memory's chunk; of no use without one."""
    steering: Steering
    """Of it count what is wished of the stream as a whole; songs are muted and favoured in the pool."""

    def readable(self) -> "Standing":
        """Return it without its place where the song there cannot be read: it is gone on from elsewhere."""
        chunk = self.memory.chunk
        if chunk is None:
            return self
        try:
            chunk.generation.reader.check(chunk.row)
        except DecodeError as error:
            _log.warning("%s; the stream goes on with another song", error)
            return replace(self, memory=replace(self.memory, chunk=None))
        return self

    def beginning(self, joins: JoinSource) -> Beginning | None:
        """Return where to begin in the song; None for the start of whatever chunk is drawn.

        At the latest where the join that leaves the chunk may begin.
        """
        chunk = self.memory.chunk
        if chunk is None:
            return None
        start, stop = chunk.generation.reader.chunk_span(chunk.row)
        latest = stop - min(joins.reach_frames, (stop - start) // 2)
        frame = round(self.position_s * joins.settings.engine_rate_hz)
        return Beginning(frame=min(max(0, frame), latest), release=Release())

    def steered(self, judged: Steering) -> Steering:
        """Return the steering to go on with; judged: how the pool's songs are judged now."""
        wished, generation = self.steering, self.memory.generation
        towards = wished.towards
        if towards is not None and (towards in judged.muted or generation.song_of(towards) is None):
            towards = None
        return replace(
            judged,
            other_songs=wished.other_songs,
            phrase_factor=wished.phrase_factor,
            towards=towards,
        )


class Standings:
    """Keeps what the planner knew after each of its latest steps, until that is heard.

    Told by the thread that plans and by the one that renders, asked by any.
    """

    def __init__(self, on_decision: Callable[[Decision], None] | None) -> None:
        """on_decision: is told every decision in turn."""
        self._on_decision = on_decision
        self._lock = threading.Lock()
        self._memories: OrderedDict[Chunk, PlannerMemory] = OrderedDict()
        self._decided: deque[tuple[int, Chunk]] = deque(maxlen=_MOST)

    def remember(self, memory: PlannerMemory) -> None:
        """Keep what is known after a step was planned."""
        assert memory.chunk is not None, "a planner stands somewhere"
        with self._lock:
            self._memories[memory.chunk] = memory
            self._memories.move_to_end(memory.chunk)
            while len(self._memories) > _MOST:
                self._memories.popitem(last=False)

    def __call__(self, decision: Decision) -> None:
        """Note which step a decision has taken."""
        with self._lock:
            self._decided.append((decision.n, decision.step.chunk))
        if self._on_decision is not None:
            self._on_decision(decision)

    def at(self, n: int) -> PlannerMemory | None:
        """Return what was known after decision `n`; None where that is not known, or no longer.

        What was known before it is forgotten: heard is heard.
        """
        with self._lock:
            while len(self._decided) > 1 and self._decided[0][0] < n:
                self._memories.pop(self._decided.popleft()[1], None)
            chunk = next((chunk for number, chunk in self._decided if number == n), None)
            memory = None if chunk is None else self._memories.get(chunk)
            while memory is not None and next(iter(self._memories)) is not chunk:
                self._memories.popitem(last=False)
            return memory
