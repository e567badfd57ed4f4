"""A step takes the stream from one chunk to the next, and says who decided and how good it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.choosing.generation import Chunk
from stream.doors.door import Door

LATE_MARGIN_S = 0.2
"""A step that lay ready for less came late: nearly the stream would have gone on without it."""
_FALLBACKS = ("nearest", "natural", "any")
"""Rungs on which no model had a say, though it should have."""


@dataclass(frozen=True, kw_only=True)
class WalkStop:
    """One place of the walk through the buckets, and what was bridged on the way to it."""

    place: int
    """From 0: the class of this transition of the reference songs."""
    bucket: int
    """That class."""
    empty: int
    """Places before it that were bridged because no chunk of the pool falls into their bucket."""
    spent: int
    """Places that were bridged because nothing of their bucket might be played at that moment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One planned move of the stream, and why."""

    after: Chunk | None
    """None for the chunk that starts the stream."""
    chunk: Chunk
    natural: bool
    """Whether its chunk is the one that follows in the song."""
    rung: str
    """Which rung of the ladder decided; `start`, `phrase`, `walk`, `random` and `rules`: none had to."""
    score: float | None = None
    rank: int | None = None
    renews: bool = False
    """Whether the song goes on because no join was better: a phrase is over, and another one begins."""
    candidates: int = 0
    considered: int = 0
    reasons: tuple[str, ...] = ()
    terms: Mapping[str, float] = field(default_factory=dict)
    """What spoke for and against a join, by name, in log-odds; empty where nothing was weighed."""
    door: Door | None = None
    """How the songs meet; None where that is left to the audio."""
    stop: WalkStop | None = None
    """Where in the walk its chunk was taken; None where the stream does not walk, or had to go on without."""
    decision_ms: float = 0.0
    ready_at_s: float = 0.0
    """Monotonic clock at which it was ready."""
    margin_s: float | None = None
    """How long it lay ready before it was taken; None when it was made as it was asked for."""

    @property
    def length_s(self) -> float:
        """How long its chunk is."""
        return self.chunk.end_s - self.chunk.start_s

    @property
    def ends_phrase(self) -> bool:
        """Whether a phrase is over before its chunk."""
        return self.after is not None and (self.renews or not self.natural)

    @property
    def leaves_song(self) -> bool:
        """Whether it goes from one song to another."""
        return self.after is not None and self.after.song.audio_hash != self.chunk.song.audio_hash

    @property
    def late(self) -> bool:
        """Whether a live stream had to wait for it, nearly had to, or has had to do without a model."""
        if self.margin_s is None or self.after is None:
            return False
        return self.rung in _FALLBACKS or self.margin_s < LATE_MARGIN_S
