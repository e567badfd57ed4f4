"""The renderer lets songs and joins sound one after the other, the same samples for any block size."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.choosing.bans import NothingReadableError
from stream.choosing.generation import Chunk
from stream.choosing.ready.step_source import StepSource
from stream.choosing.step import Step
from stream.engine.decisions import Decision
from stream.engine.limiter import Limiter
from stream.joins.join_plan import JoinPlan, JoinSource, Leaving
from stream.joins.levels import Release, song_gain, song_gain_db
from stream.joins.sound import JoinSound, Silence, SongSound, Sound, joined

_log = logging.getLogger(__name__)

SILENCE_FRAMES = 4096
"""While no song can be read, one is asked for each time that this much silence has been rendered."""
PULL_FRAMES = 32768
"""Longer blocks are made of such pieces."""


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where in the song of its first chunk a stream begins, and with which gain."""

    frame: int
    release: Release


class Renderer:
    """Pulls steps and turns them into audio; every method belongs to one thread.

    A join sounds as its plan says (`stream.joins.kinds`), out of whatever sounds when it begins: the song, or
    another join under way. Natural continuations are the song, bit for bit, times its gain, once the gain of
    the join before has been released. What is made runs a little ahead of what `render` gives, by the
    limiter's lookahead.
    """

    def __init__(
        self,
        source: StepSource,
        joins: JoinSource,
        *,
        on_decision: Callable[[Decision], None],
        begin: Beginning | None = None,
    ) -> None:
        """Make one that stands at the beginning of the stream, and plays by the settings of its joins.

        begin: None: where the first chunk starts.
        """
        self.settings = joins.settings
        self._source = source
        self._joins = joins
        self._limiter = Limiter(self.settings.engine_rate_hz)
        self._on_decision = on_decision
        self._decisions = 0
        self._pending: Step | None = None
        self._plan: JoinPlan | None = None
        self._jump = False
        self._jump_frames: int | None = None
        self._silent = False
        self._release = Release()
        self._join: JoinSound | None = None
        self._sound: Sound = Silence()
        self.lost: dict[Path, str] = {}
        """Files that could not be read while playing, with the reason."""
        self.losses = 0
        """How often a file could not be read that could be before."""
        self._away: set[Path] = set()
        self.time_frames = 0
        """Stream time: frames rendered so far."""
        self._made_frames = 0
        step = self._take_readable(None, jump=False)
        begin = begin or Beginning(frame=self._span(step.chunk)[0], release=Release())
        self._sound = self._song(step.chunk, begin.frame, begin.release)
        self._enter(step.chunk, begin.frame, begin.release)
        self._report(step, None, self._position, t_out_frames=0)

    @property
    def reach_frames(self) -> int:
        """A join begins at most this long before the end of a chunk, or less where a chunk is short."""
        return self._joins.reach_frames

    @property
    def ahead_frames(self) -> int:
        """What is made runs this far ahead of what has been rendered."""
        return self._limiter.ahead_frames

    @property
    def chunk(self) -> Chunk:
        """The chunk that is rendered now; through a join, from its beginning on, the incoming one."""
        return self._chunk

    @property
    def position_s(self) -> float:
        """Where in its song the next rendered frame is; 0 while a join has not come to it yet."""
        return max(0, self._position - self._limiter.held_frames) / self.settings.engine_rate_hz

    @property
    def pending(self) -> Step | None:
        """The step that was taken and waits for its join; None where the next one is not taken yet."""
        return self._pending

    def jump(self) -> None:
        """Leave for another piece at the next frame that is made, amid a join too."""
        self._jump = True

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32; `EndlosError` when nothing can be played any more.

        There is silence while the source says that no song can be read at this moment.
        """
        limiter = self._limiter
        pieces: list[FloatArray] = []
        for start in range(0, frames, PULL_FRAMES):
            count = min(PULL_FRAMES, frames - start)
            while (missing := count + limiter.ahead_frames - limiter.held_frames) > 0:
                self._make(missing)
            pieces.append(limiter.pull(count))
            self.time_frames += count
        return joined(pieces)

    def _make(self, frames: int) -> None:
        """Make at most `frames` more of the stream, at least one, or take a step."""
        if self._jump or self._position >= self._stop:
            try:
                self._advance()
            except NothingReadableError:
                self._silent, self._join = True, None
                self._push(_silence(min(frames, SILENCE_FRAMES)), watched=False)
            return
        frames = min(frames, self._stop - self._position)
        watched = self._join is not None
        if self._join is not None:
            frames = min(frames, self._join.left_frames)
        elif self._position < self._release.stop_frame:
            # A song at its own gain has no peaks; one that is made louder may have some.
            watched = self._release.offset_db > 0.0
            frames = min(frames, self._release.stop_frame - self._position)
        piece = self._sound.pull(frames)
        self._position += frames
        self._push(piece, watched=watched)
        if self._join is not None and not self._join.left_frames:
            self._sound, self._join = self._join.incoming, None

    def _push(self, piece: FloatArray, *, watched: bool) -> None:
        self._limiter.push(piece, watched=watched)
        self._made_frames += len(piece)

    def _advance(self) -> None:
        """Take the next step if it is time, and go on naturally, wait for its join, or begin that."""
        if self._pending is None or (self._jump and self._pending.natural):
            self._pending = self._take_readable(self._chunk, jump=self._jump)
        step = self._pending
        if step.natural:
            boundary = self._span(self._chunk)[1]
            self._report(
                step, self._chunk, boundary, t_out_frames=self._made_frames + boundary - self._position
            )
            self._pending = None
            self._go_on(step.chunk)
            return
        if self._plan is None or self._jump:
            leaving = Leaving(
                chunk=self._chunk,
                release=self._release,
                at_once=self._position if self._jump else None,
                amid_join=self._join is not None,
            )
            self._plan = self._joins.plan(step, leaving)
            self._jump_frames = self._made_frames if self._jump else None
            self._jump = False
        if self._position < self._plan.begin_frame and not self._silent:
            self._stop = self._plan.begin_frame
            return
        self._begin_join(step, self._plan)
        self._pending = self._plan = None

    def _begin_join(self, step: Step, plan: JoinPlan) -> None:
        """Go over from what sounds into the step's chunk."""
        before, release = self._chunk, plan.release
        # Out of silence comes the next song alone, not the one that could not be read.
        outgoing: Sound = Silence() if self._silent else self._sound
        self._enter(step.chunk, plan.first_frame, release)
        incoming = self._song(step.chunk, plan.first_frame + plan.enters_frames, release)
        self._join = plan.open(outgoing, incoming, self.settings.engine_rate_hz)
        self._sound = self._join
        self._report(
            step, before, plan.leave_frame, t_out_frames=self._made_frames + plan.before_frames, plan=plan
        )

    def _take_readable(self, after: Chunk | None, *, jump: bool) -> Step:
        """Take steps until one leads into a file that can be read and still holds what the pool knows."""
        while True:
            step = self._source.take(after, jump=jump)
            try:
                step.chunk.generation.reader.check(step.chunk.row)
            except DecodeError as error:
                after = after or step.chunk
                self._lose(step.chunk, error, at=after)
            else:
                self._away.discard(step.chunk.song.path)
                return step

    def _song(self, chunk: Chunk, frame: int, release: Release) -> SongSound:
        """Return a chunk's song from a frame on, at its gain; silence and a jump where it cannot be read."""
        gain = song_gain(chunk.song, self.settings.target_lufs)

        def read(start: int, stop: int) -> FloatArray:
            try:
                audio = chunk.generation.reader.read(chunk.song_index, start, stop, passing=True)
            except DecodeError as error:
                self._lose(chunk, error, at=self._chunk)
                # What goes out may fail: it is over soon.
                self._jump = self._jump or chunk.song.audio_hash == self._chunk.song.audio_hash
                return _silence(stop - start)
            audio *= gain
            return release.applied(audio, start)

        return SongSound(read, frame)

    def _lose(self, chunk: Chunk, error: DecodeError, at: Chunk) -> None:
        self._source.ban(chunk.song.audio_hash, at)
        path = chunk.song.path
        self.lost[path] = str(error)
        if path not in self._away:
            self._away.add(path)
            self.losses += 1
            _log.warning("%s", error)

    def _enter(self, chunk: Chunk, at_frame: int, release: Release) -> None:
        self._position = at_frame
        self._release = release
        self._go_on(chunk)

    def _go_on(self, chunk: Chunk) -> None:
        self._chunk, self._silent = chunk, False
        start, stop = self._span(chunk)
        self._stop = stop - min(self.reach_frames, (stop - start) // 2)

    def _span(self, chunk: Chunk) -> tuple[int, int]:
        return chunk.generation.reader.chunk_span(chunk.row)

    def _report(
        self,
        step: Step,
        before: Chunk | None,
        left_frame: int,
        *,
        t_out_frames: int,
        plan: JoinPlan | None = None,
    ) -> None:
        """Tell of a step; left_frame: where `before` is left, or where the stream begins."""
        rate_hz = self.settings.engine_rate_hz
        self._on_decision(
            Decision(
                n=self._decisions,
                step=step,
                before=before,
                left_at_s=None if before is None else left_frame / rate_hz,
                entered_at_s=(left_frame if plan is None else plan.enter_frame) / rate_hz,
                t_out_frames=t_out_frames,
                plan=plan,
                jump_frames=None if plan is None else self._jump_frames,
                gain_db=song_gain_db(step.chunk.song, self.settings.target_lufs),
                settings=self.settings,
                reach_frames=self.reach_frames,
            )
        )
        self._decisions += 1


def _silence(frames: int) -> FloatArray:
    return np.zeros((frames, 2), dtype=np.float32)
