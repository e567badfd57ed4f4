"""The engine opens a pool's folder and gives one endless stream, which is pulled block by block."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from model.saved.contract import carried_model
from stream.choosing.ahead import Ahead, Immediate, StepSource
from stream.choosing.generation import Chunk, Generation, open_generation
from stream.choosing.planner import Planner
from stream.engine.decisions import Decision
from stream.engine.last_join import LastJoin
from stream.engine.newer import Newer, judged_joins
from stream.engine.renderer import Renderer
from stream.engine.settings import EngineSettings
from stream.engine.warm_up import first_score, warm_up
from stream.joins.join_planner import JoinPlanner
from stream.pool.feedback import HeardJoin, LabelledJoin, remember
from stream.pool.pool import Song
from stream.scoring.settings import ScoringSettings


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
        played: LastJoin,
        judged: Callable[[], None],
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

        played = LastJoin(on_decision)
        generation = open_current()
        if live:
            warm_up(generation, settings.engine_rate_hz)
        start = _start(generation, settings.start_song)
        planner = Planner(generation, settings.planner, start, judged_joins(folder))
        newer = Newer(folder, planner, open_current)
        joins = JoinPlanner(
            engine_rate_hz=settings.engine_rate_hz,
            longest_fade_s=settings.fade_s,
            target_lufs=settings.target_lufs,
        )
        source: StepSource = (
            Ahead(
                planner,
                depth=settings.plan_ahead,
                prepare=lambda: first_score(planner.generation.scorer),
                refresh=newer.look,
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
        return cls(source, planner, renderer, settings.engine_rate_hz, played=played, judged=newer.judged)

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
        self._judged()

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


def _start(generation: Generation, name: str | None) -> Chunk | None:
    if name is None:
        return None
    for row, song in enumerate(generation.index.song):
        if generation.pool.songs[song].name == name:
            return generation.chunk(row)
    raise EndlosError(f"the pool has no song {name!r}; name one as `endlos pool info` lists it")
