"""The engine: from a pool folder to one endless stream that is pulled block by block."""

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from model.arrays import FloatArray
from model.contract import carried_model
from model.errors import EndlosError, PoolError
from stream.ahead import Ahead, Immediate, StepSource
from stream.costs import Costs, CostWeights
from stream.decisions import Decision
from stream.feedback import REACH_S, HeardJoin, LabelledJoin, labelled_joins, remember
from stream.generation import Chunk, Generation, ScoringSettings, open_generation
from stream.index import NEVER
from stream.joining import JoinPlanner, warm_up
from stream.planner import Planner
from stream.planner_settings import PlannerSettings
from stream.pool import Song, current_generation
from stream.ranking import top
from stream.renderer import Renderer

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What the stream is made of and how it sounds."""

    planner: PlannerSettings = field(default_factory=PlannerSettings)
    model: Path | None = None
    """Model folder; None takes the one that the package carries."""
    engine_rate_hz: int = 44_100
    fade_s: float = 1.5
    """The longest crossfade at a join; where and how long each fades comes from the audio."""
    target_lufs: float | None = -16.0
    """Songs are brought to this loudness, as far as their peaks allow; None leaves them as they are."""
    start_song: str | None = None
    """Name (path in the music folder) of the song to start with; None: chosen by strategy and seed."""
    plan_ahead: int = 3
    """Steps planned ahead of the playhead while live."""
    scorer_threads: int = 2
    simulate_slow_ms: float = 0.0
    """Each decision is made to take this much longer, to see the ladder at work."""

    def __post_init__(self) -> None:
        if self.engine_rate_hz not in (44_100, 48_000):
            raise EndlosError(f"the engine runs at 44100 or 48000 Hz, not at {self.engine_rate_hz}")
        if not 0.0 <= self.fade_s <= 20.0:
            raise EndlosError(f"fade_s is {self.fade_s}, expected 0 to 20 seconds")
        if self.target_lufs is not None and not -40.0 <= self.target_lufs <= 0.0:
            raise EndlosError(f"target_lufs is {self.target_lufs}, expected -40 to 0")
        if self.plan_ahead < 1:
            raise EndlosError(f"plan_ahead is {self.plan_ahead}, expected at least 1")


@dataclass(frozen=True, kw_only=True)
class NowPlaying:
    """What the engine renders at this moment, and what it leaves for."""

    song: Song
    position_s: float
    next_song: Song | None
    next_score: float | None
    time_frames: int
    """Stream time, in engine frames."""
    time_s: float
    songs: int
    chunks: int
    lost: int
    """Files that could not be read while playing."""
    join: HeardJoin | None
    """The last join, for `Engine.judge`; None before the first."""


class Engine:
    """One endless stream; `render` belongs to one thread, `skip`, `judge` and `now` to any."""

    def __init__(
        self,
        source: StepSource,
        planner: Planner,
        renderer: Renderer,
        rate_hz: int,
        *,
        played: "_LastJoin",
        judged: threading.Event,
    ) -> None:
        """played: is told every decision. judged: makes the planner read again what listeners thought."""
        self._source = source
        self._planner = planner
        self._renderer = renderer
        self._played = played
        self._judged = judged
        self._folder = planner.generation.pool.folder
        self.engine_rate_hz = rate_hz
        self._skip = threading.Event()
        self._now = self._snapshot()

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: EngineSettings,
        *,
        on_decision: Callable[[Decision], None] | None = None,
        live: bool = False,
    ) -> "Engine":
        """Open the pool in `folder`; live, steps are planned ahead by a thread and new songs join in.

        Raises `PoolError` or `ModelError` when there is no stream to be made of it.
        """
        model: Path | None = None
        if settings.planner.strategy == "model":
            model = settings.model or carried_model()
        scoring = ScoringSettings(
            model=model,
            threads=settings.scorer_threads,
            guarded=live,
            simulate_slow_ms=settings.simulate_slow_ms,
        )

        def open_current() -> Generation:
            return open_generation(folder, scoring, engine_rate_hz=settings.engine_rate_hz)

        refused: int | None = None
        told = ""

        def newer() -> Generation | None:
            # Asked every two seconds: what cannot be used is opened once, and told once.
            nonlocal refused, told
            if judged.is_set():
                judged.clear()
                planner.judge(_judged_joins(folder))
            number = None
            try:
                number = current_generation(folder)
                if number in (planner.generation.pool.generation, refused):
                    return None
                return open_current()
            except EndlosError as error:
                refused = number
                if str(error) != told:
                    told = str(error)
                    log.warning("the newer pool is left aside: %s", error)
                return None

        judged, played = threading.Event(), _LastJoin(on_decision)
        generation = open_current()
        if live:
            _load_kernels(generation, settings.engine_rate_hz)
        start = _start(generation, settings.start_song)
        planner = Planner(generation, settings.planner, start, _judged_joins(folder))
        joins = JoinPlanner(
            engine_rate_hz=settings.engine_rate_hz,
            longest_fade_s=settings.fade_s,
            target_lufs=settings.target_lufs,
        )
        source: StepSource = (
            Ahead(
                planner,
                depth=settings.plan_ahead,
                prepare=lambda: _warm_up(generation),
                refresh=newer,
                rehearse=joins.prepare,
            )
            if live
            else Immediate(planner)
        )
        renderer = Renderer(
            source,
            engine_rate_hz=settings.engine_rate_hz,
            fade_s=settings.fade_s,
            target_lufs=settings.target_lufs,
            on_decision=played,
            joins=joins,
        )
        return cls(source, planner, renderer, settings.engine_rate_hz, played=played, judged=judged)

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32; `EndlosError` when no song can be read any more."""
        if self._skip.is_set():
            self._skip.clear()
            self._renderer.jump()
        block = self._renderer.render(frames)
        self._now = self._snapshot()
        return block

    def skip(self) -> None:
        """Leave for another piece at the next rendered frame."""
        self._skip.set()

    def judge(self, join: HeardJoin, *, liked: bool) -> None:
        """Remember what a listener thought of a join (`NowPlaying.join`), in the pool.

        What is disliked never comes back, what is liked comes more readily; live within about two seconds,
        for what is not planned yet. Raises `PoolError` when it cannot be written.
        """
        remember(self._folder, LabelledJoin(**asdict(join), label=int(liked)))
        self._judged.set()

    def now(self) -> NowPlaying:
        """Return what is rendered now."""
        return self._now

    @property
    def lost(self) -> dict[Path, str]:
        """Files that could not be read while playing, with the reason."""
        return dict(self._renderer.lost)

    def close(self) -> None:
        """End planning and close the songs."""
        self._source.close()
        self._planner.generation.close()

    def _snapshot(self) -> NowPlaying:
        chunk, upcoming = self._renderer.chunk, self._source.peek()
        return NowPlaying(
            song=chunk.song,
            position_s=self._renderer.position_s,
            next_song=upcoming.chunk.song if upcoming else None,
            next_score=upcoming.score if upcoming else None,
            time_frames=self._renderer.time_frames,
            time_s=self._renderer.time_frames / self.engine_rate_hz,
            songs=len(self._planner.generation.pool.songs),
            chunks=len(self._planner.generation.pool),
            lost=len(self._renderer.lost),
            join=self._played.join,
        )


class _LastJoin:
    """Passes every decision on, and knows the last join."""

    def __init__(self, on_decision: Callable[[Decision], None] | None) -> None:
        self._on_decision = on_decision
        self.join: HeardJoin | None = None

    def __call__(self, decision: Decision) -> None:
        before, after = decision.before, decision.step.chunk
        if before is not None and not decision.step.natural:
            # At its cut, whatever the join was shifted by; after `next`, where it was left.
            rate_hz, end_sample = before.song.sample_rate_hz, before.key[2]
            if decision.left_at_s is not None and abs(decision.left_at_s - before.end_s) > REACH_S:
                end_sample = round(decision.left_at_s * rate_hz)
            # Numbers alone: a chunk would keep its generation open.
            self.join = HeardJoin(
                from_hash=before.song.audio_hash,
                from_end_sample=end_sample,
                to_hash=after.song.audio_hash,
                to_start_sample=after.key[1],
            )
        if self._on_decision is not None:
            self._on_decision(decision)


def _judged_joins(folder: Path) -> list[LabelledJoin]:
    try:
        return labelled_joins(folder)
    except PoolError as error:
        # What was thought of joins is no reason to be silent.
        log.warning("%s", error)
        return []


def _load_kernels(generation: Generation, engine_rate_hz: int) -> None:
    """Compile, or load, every kernel: each holds Python's lock while it is, and the first sounds need it."""
    index = generation.index
    scores = -index.distances_db(0)
    nothing = np.zeros(len(index), dtype=np.bool_)
    top(scores, index.playable(np.full(len(index), NEVER, dtype=np.int64), 0, 1, nothing), 1)
    if generation.scorer is not None:
        Costs(generation, CostWeights()).terms(0, np.array([1]))
    warm_up(engine_rate_hz)


def _warm_up(generation: Generation) -> None:
    """Run the model once, before the first decision is under time."""
    if generation.scorer is not None:
        generation.scorer.score(0, np.zeros(1, dtype=np.int64))


def _start(generation: Generation, name: str | None) -> Chunk | None:
    if name is None:
        return None
    for row, song in enumerate(generation.index.song):
        if generation.pool.songs[song].name == name:
            return generation.chunk(row)
    raise EndlosError(f"the pool has no song {name!r}; name one as `endlos pool info` lists it")
