"""The engine opens a pool's folder and gives one endless stream, which is pulled block by block."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import Chunk, Generation
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.choosing.planner import Planner
from stream.choosing.ready.ahead import Ahead
from stream.choosing.ready.plan_ahead import PlanDepth
from stream.choosing.ready.step_source import Immediate, StepSource
from stream.engine.decisions import Decision
from stream.engine.newer import PoolWatch, judged_joins, judged_songs
from stream.engine.past import JoinRecord, Past
from stream.engine.renderer import Renderer
from stream.engine.settings import EngineSettings
from stream.engine.standing import Standing, Standings
from stream.engine.tally import DecisionTally
from stream.engine.told_joins import ToldJoins
from stream.engine.warm_up import first_score, warm_up
from stream.joins.join_planner import JoinPlanner
from stream.pool.feedback import HeardJoin, SongOpinion, remember_opinion
from stream.pool.pool import Pool
from stream.pool.song_names import named_song
from stream.pool.songs import Song


@dataclass(frozen=True, kw_only=True)
class NowPlaying:
    """What the engine renders at this moment, and what it leaves for."""

    song: Song
    position_s: float
    next_song: Song | None
    next_score: float | None
    time_frames: int
    """Stream time, in engine frames."""
    entered_frames: int
    """Stream time at which the song's chunk takes over, in the middle of its join: maybe still to come."""
    time_s: float
    songs: int
    chunks: int
    lost: int
    """Files that could not be read while playing."""
    losses: int
    """How often a file could not be read that could be before: one that comes and goes is lost each time."""
    decision: int
    """Number of the decision that led to the chunk."""
    join: HeardJoin | None
    """The last join, for `Engine.judge`; None before the first."""


class Engine:
    """One endless stream; `render` belongs to one thread, `skip`, `steer`, `judge` and `now` to any."""

    def __init__(
        self,
        source: StepSource,
        planner: Planner,
        renderer: Renderer,
        *,
        played: Past,
        told: ToldJoins,
        watch: PoolWatch,
        tally: DecisionTally,
        standings: Standings | None = None,
        steering: Steering = NOT_STEERED,
    ) -> None:
        """played, tally: are told every decision. told: of its joins. watch: of the pool.

        standings: what the planner knew after each step, where that is wanted.
        """
        self._source = source
        self._planner = planner
        self._renderer = renderer
        self._played = played
        self._told = told
        self._watch = watch
        self.tally = tally
        self._standings = standings
        self._folder = planner.generation.pool.folder
        self.engine_rate_hz = renderer.settings.engine_rate_hz
        self.target_lufs = renderer.settings.target_lufs
        # Held for no longer than it takes to hand it on.
        self._steer = threading.Lock()
        self._steering = steering
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
        recall: Callable[[Generation], Standing | None] | None = None,
    ) -> "Engine":
        """Open the pool in `folder`; live, steps are planned ahead by a thread and new songs join in.

        recall: returns where in a generation another run stood, None to begin anew; with it, `standing` tells
        where this one stands.
        Raises `PoolError` or `ModelError` when there is no stream to be made of it.
        """
        watch, joins = PoolWatch(folder, settings, live=live), JoinPlanner(settings)
        generation = watch.open()
        if live:
            warm_up(generation)
        start = _start(generation, settings.start_song)
        steering = judged_songs(folder)
        judged = judged_joins(folder)
        stood = None if recall is None else recall(generation)
        if stood is not None:
            stood = stood.readable()
            steering = stood.steered(steering)
        steering = _led(generation, steering, settings)
        memory = None if stood is None else stood.memory
        planner = Planner(generation, settings.planner, start, judged, steering, memory)
        tally = DecisionTally(on_decision)
        standings = None if recall is None else Standings(tally)
        source: StepSource = Immediate(planner)
        if live:
            source = Ahead(
                planner,
                depth=PlanDepth(steps=settings.plan_ahead, seconds=settings.plan_ahead_s),
                prepare=lambda: first_score(planner.generation.scorer),
                refresh=lambda: watch.look(planner),
                rehearse=joins.prepare,
                remember=None if standings is None else standings.remember,
            )
        played = Past(standings or tally)
        told = ToldJoins(played, joins, folder, judged, watch.judged)
        begin = None if stood is None else stood.beginning(joins)
        renderer = Renderer(source, joins, on_decision=played, begin=begin)
        return cls(
            source,
            planner,
            renderer,
            played=played,
            told=told,
            watch=watch,
            tally=tally,
            standings=standings,
            steering=steering,
        )

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32; `EndlosError` when no song can be read any more."""
        if self._skip.is_set() and self._can_leave():
            self._skip.clear()
            self._renderer.jump()
        block = self._renderer.render(frames)
        if self._steering.towards is not None:
            with self._steer:
                self._steering = self._arrived(self._steering)
        self._now = self._snapshot()
        return block

    def skip(self) -> None:
        """Leave for another piece at the next rendered frame, or as soon as it is known which. Any thread."""
        self._can_leave()
        self._skip.set()

    def _can_leave(self) -> bool:
        """Whether a step that leaves is there, or one was waited for for long enough; else one is planned."""
        return self._renderer.pending is not None or self._source.leaves()

    @property
    def steering(self) -> Steering:
        """What the listener wants at this moment; a song that was to be reached is left out once it plays."""
        return self._steering

    def steer(self, steering: Steering) -> None:
        """Choose as a listener wants it from the next decision on; what sounds is not touched. Any thread.

        What is planned already is planned anew, but for what is heard within seconds. Raises `EndlosError`
        when the pool does not hold the song that is to be reached.
        """
        if steering.towards is not None and self._planner.generation.song_of(steering.towards) is None:
            raise EndlosError(f"the pool holds no song {steering.towards}; name one by its audio hash")
        with self._steer:
            self._steering = self._arrived(steering)
            self._source.steer(self._steering)

    def judge_song(self, audio_hash: str, opinion: SongOpinion | None) -> None:
        """Remember what a listener thinks of a song, in the pool, and choose accordingly. Any thread.

        Raises `PoolError` when it cannot be written, `EndlosError` when the pool holds no such song.
        """
        if self._planner.generation.song_of(audio_hash) is None:
            raise EndlosError(f"the pool holds no song {audio_hash}; name one by its audio hash")
        remember_opinion(self._folder, audio_hash, opinion)
        with self._steer:
            self._steering = self._steering.judged(audio_hash, opinion)
            self._source.steer(self._steering)

    def judge(self, join: HeardJoin, *, liked: bool) -> None:
        """Remember what a listener thought of a join (`NowPlaying.join`), in the pool.

        What is disliked never comes back, what is liked comes more readily; live within about two seconds,
        for what is not planned yet. Raises `PoolError` when it cannot be written.
        """
        self._told.label(join, liked)

    def judge_join(self, n: int, liked: bool | None) -> JoinRecord:
        """Remember what a listener thinks of one of `joins`, or of the coming one; None: nothing any more.

        A coming one that is disliked is not played, unless it is heard within seconds.
        Raises `EndlosError` when there is no such join, `PoolError` when it cannot be written. Any thread.
        """
        coming = n >= self._played.decisions
        record = self._told.judge(n, liked, self._planner.generation)
        if coming and liked is False:
            with self._steer:
                self._source.steer(self._steering)
        return record

    def joins(self) -> Sequence[JoinRecord]:
        """Return the latest joins that are rendered or about to be, newest last. Any thread."""
        return self._told.joins(self._planner.generation)

    def upcoming(self) -> JoinRecord | None:
        """Return the join that comes next; None as long as none is planned. Any thread."""
        return self._told.upcoming(self._planner.generation, self._renderer.time_frames)

    def preview(self, n: int) -> FloatArray:
        """Return 12 s of sound around one of `joins`, or the coming one, `(frames, 2)` at the engine's rate.

        The same samples as in the stream, as far as its latest joins tell what else was near; the stream is
        not touched. Raises `EndlosError` when there is no such join, when its songs are not what they were,
        and while another one is made. Any thread; it takes some tenths of a second.
        """
        return self._told.preview(n, self._planner.generation)

    def now(self) -> NowPlaying:
        """Return what is rendered now."""
        return self._now

    def standing(self, playing: NowPlaying) -> Standing | None:
        """Return where the stream stood at a moment of the last seconds, for another run to go on from there.

        None where that is not known: at the very first, and where nothing is recalled. Any thread.
        """
        memory = None if self._standings is None else self._standings.at(playing.decision)
        if memory is None:
            return None
        return Standing(memory=memory, position_s=playing.position_s, steering=self._steering)

    @property
    def pool(self) -> Pool:
        """The pool of the generation that steps are planned in now."""
        return self._planner.generation.pool

    @property
    def usual_other_songs(self) -> float:
        """Share of the phrases that end in another song where nobody wants another."""
        return self._planner.settings.other_songs

    @property
    def lost(self) -> dict[Path, str]:
        """Files that could not be read while playing, with the reason."""
        return dict(self._renderer.lost)

    def close(self) -> None:
        """End planning and close the songs."""
        self._source.close()
        self._watch.close()
        self._planner.generation.close()

    def _arrived(self, steering: Steering) -> Steering:
        """Return it without a song to be reached where that plays, or is lost."""
        towards, chunk = steering.towards, self._renderer.chunk
        if towards is None:
            return steering
        lost = self._planner.generation.song_of(towards) is None
        if not lost and chunk.generation.song_of(towards) != chunk.song_index:
            return steering
        return steering.arrived()

    def _snapshot(self) -> NowPlaying:
        chunk, upcoming = self._renderer.chunk, self._told.look(self._renderer, self._source)
        return NowPlaying(
            song=chunk.song,
            position_s=self._renderer.position_s,
            next_song=upcoming.chunk.song if upcoming else None,
            next_score=upcoming.score if upcoming else None,
            time_frames=self._renderer.time_frames,
            entered_frames=self._played.entered_frames,
            time_s=self._renderer.time_frames / self.engine_rate_hz,
            songs=len(self._planner.generation.pool.songs),
            chunks=len(self._planner.generation.pool),
            lost=len(self._renderer.lost),
            losses=self._renderer.losses,
            decision=self._played.decisions - 1,
            join=self._played.join,
        )


def _start(generation: Generation, name: str | None) -> Chunk | None:
    if name is None:
        return None
    return generation.chunk(generation.song_rows(named_song(generation.pool, name)).start)


def _led(generation: Generation, steering: Steering, settings: EngineSettings) -> Steering:
    """Return a steering that leads to the song that the settings name, if any."""
    if settings.towards is None:
        return steering
    goal = generation.pool.songs[named_song(generation.pool, settings.towards)].audio_hash
    return replace(steering, towards=goal, within_s=settings.within_s)
