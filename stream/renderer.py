"""Renders the stream: reads spans, crossfades at joins, and gives the same samples for any block size."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.errors import DecodeError
from model.kernels import FloatArray
from stream.ahead import StepSource
from stream.bans import NothingReadableError
from stream.crossfade import CEILING, LOOKAHEAD_S, mix
from stream.decisions import Decision
from stream.generation import Chunk
from stream.planner import Step
from stream.pool import Song

log = logging.getLogger(__name__)

PAGE_FRAMES = 16384
SILENCE_FRAMES = 4096
"""While no song can be read, one is asked for each time that this much silence has been rendered."""
CEILING_DB = 20.0 * float(np.log10(CEILING))


class Renderer:
    """Pulls steps and turns them into audio; every method belongs to one thread.

    A join is centred on the cut: its fade uses what really follows A and really precedes B in their songs,
    as far as there is something. Natural continuations are the song, bit for bit, times its gain.
    """

    def __init__(
        self,
        source: StepSource,
        *,
        engine_rate_hz: int,
        fade_s: float,
        target_lufs: float | None,
        on_decision: Callable[[Decision], None],
    ) -> None:
        self._source = source
        self._rate_hz = engine_rate_hz
        self._guard_frames = round(LOOKAHEAD_S * engine_rate_hz)
        self.reach_frames = round(fade_s * engine_rate_hz / 2) + self._guard_frames
        """A join begins this long before the end of a chunk, or less where a chunk is short."""
        self._fade_s = fade_s
        self._target_lufs = target_lufs
        self._on_decision = on_decision
        self._decisions = 0
        self._pending: Step | None = None
        self._jump = False
        self._silent = False
        self._join: FloatArray = np.empty((0, 2), dtype=np.float32)
        self._page: FloatArray = np.empty((0, 2), dtype=np.float32)
        self._page_start = 0
        self.lost: dict[Path, str] = {}
        """Files that could not be read while playing, with the reason."""
        self.time_frames = 0
        """Stream time: frames rendered so far."""
        step = self._take_readable(None, jump=False)
        self._enter(step.chunk, at_frame=self._span(step.chunk)[0])
        self._report(step, None, None, t_out_frames=0, law="none")

    @property
    def chunk(self) -> Chunk:
        """The chunk that is rendered now; through a join already the incoming one."""
        return self._chunk

    @property
    def position_s(self) -> float:
        """Where in its song the next rendered frame is, but for the rest of a join."""
        return (self._position - len(self._join)) / self._rate_hz

    def jump(self) -> None:
        """Leave for another piece at the next rendered frame, or as soon as a join under way is over."""
        self._jump = True

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32; `EndlosError` when nothing can be played any more.

        There is silence while the source says that no song can be read at this moment.
        """
        block = np.empty((frames, 2), dtype=np.float32)
        filled = 0
        while filled < frames:
            if len(self._join):
                piece = self._join[: frames - filled]
                self._join = self._join[len(piece) :]
            elif self._jump or self._position >= self._stop:
                try:
                    self._advance()
                    continue
                except NothingReadableError:
                    self._silent = True
                    piece = _silence(min(frames - filled, SILENCE_FRAMES))
            else:
                piece = self._body(min(frames - filled, self._stop - self._position))
                self._position += len(piece)
            block[filled : filled + len(piece)] = piece
            filled += len(piece)
            self.time_frames += len(piece)
        return block

    def _body(self, frames: int) -> FloatArray:
        """Return at least one and at most `frames` frames of the song, as it is."""
        offset = self._position - self._page_start
        if not 0 <= offset < len(self._page):
            self._page_start, offset = self._position, 0
            stop = self._position + PAGE_FRAMES
            audio = self._try_read(self._chunk, self._position, stop)
            self._jump = self._jump or audio is None
            self._page = _silence(stop - self._position) if audio is None else audio
        return self._page[offset : offset + frames]

    def _advance(self) -> None:
        """Take the next step if it is time, and go on naturally or prepare the join into it."""
        if self._pending is None or (self._jump and self._pending.natural):
            self._pending = self._take_readable(self._chunk, jump=self._jump)
        step = self._pending
        if step.natural:
            boundary = self.time_frames + self._span(self._chunk)[1] - self._position
            self._report(step, self._chunk, self._chunk.end_s, t_out_frames=boundary, law="natural")
            self._pending = None
            self._go_on(step.chunk)
            return
        reach = min(self.reach_frames, self._length(self._chunk) // 2, self._length(step.chunk) // 2)
        last = self._span(self._chunk)[1] - reach
        if not self._jump and self._position < last:
            self._stop = last
            return
        jumped = self._jump
        self._pending, self._jump = None, False
        self._start_join(step, reach, jumped)

    def _start_join(self, step: Step, reach: int, jumped: bool) -> None:
        """Fade from where the stream stands into `step.chunk`, over twice `reach` frames, guards included."""
        before, cut = self._chunk, self._position + reach
        start = self._span(step.chunk)[0]
        # Out of silence comes the next song alone, not the one that could not be read.
        outgoing = _silence(2 * reach) if self._silent else self._read(before, cut - reach, cut + reach)
        incoming = self._read(step.chunk, start - reach, start + reach)
        fade_frames = 2 * max(0, reach - self._guard_frames)
        self._join, r = mix(outgoing, incoming, fade_frames)
        self._report(
            step,
            before,
            cut / self._rate_hz,
            t_out_frames=self.time_frames + reach,
            reach_frames=reach,
            fade_frames=fade_frames,
            jumped=jumped,
            law=f"power-complementary, r = {r:.2f}",
        )
        self._enter(step.chunk, at_frame=start + reach)

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
                return step

    def _read(self, chunk: Chunk, start: int, stop: int) -> FloatArray:
        """Read a span of the chunk's song at its gain; silence when it cannot be read."""
        audio = self._try_read(chunk, start, stop)
        return _silence(stop - start) if audio is None else audio

    def _try_read(self, chunk: Chunk, start: int, stop: int) -> FloatArray | None:
        try:
            audio = chunk.generation.reader.read(chunk.song_index, start, stop)
        except DecodeError as error:
            self._lose(chunk, error, at=self._chunk)
            return None
        gain = np.float32(10.0 ** (song_gain_db(chunk.song, self._target_lufs) / 20.0))
        return np.multiply(audio, gain, dtype=np.float32)

    def _lose(self, chunk: Chunk, error: DecodeError, at: Chunk) -> None:
        self._source.ban(chunk.song.audio_hash, at)
        if chunk.song.path not in self.lost:
            self.lost[chunk.song.path] = str(error)
            log.warning("%s", error)

    def _enter(self, chunk: Chunk, at_frame: int) -> None:
        self._position = at_frame
        self._page = self._page[:0]
        self._go_on(chunk)

    def _go_on(self, chunk: Chunk) -> None:
        self._chunk, self._silent = chunk, False
        self._stop = self._span(chunk)[1] - min(self.reach_frames, self._length(chunk) // 2)

    def _span(self, chunk: Chunk) -> tuple[int, int]:
        return chunk.generation.reader.chunk_span(chunk.row)

    def _length(self, chunk: Chunk) -> int:
        start, stop = self._span(chunk)
        return stop - start

    def _report(
        self,
        step: Step,
        before: Chunk | None,
        left_at_s: float | None,
        *,
        t_out_frames: int,
        reach_frames: int = 0,
        fade_frames: int = 0,
        jumped: bool = False,
        law: str,
    ) -> None:
        self._on_decision(
            Decision(
                n=self._decisions,
                step=step,
                before=before,
                left_at_s=left_at_s,
                t_out_frames=t_out_frames,
                engine_rate_hz=self._rate_hz,
                reach_frames=reach_frames,
                fade_frames=fade_frames,
                fade_law=law,
                jumped=jumped,
                gain_db=song_gain_db(step.chunk.song, self._target_lufs),
                fade_s=self._fade_s,
                target_lufs=self._target_lufs,
            )
        )
        self._decisions += 1


def _silence(frames: int) -> FloatArray:
    return np.zeros((frames, 2), dtype=np.float32)


def song_gain_db(song: Song, target_lufs: float | None) -> float:
    """Return the gain to `target_lufs` (0 dB when None) that keeps the true peak below the ceiling."""
    if target_lufs is None:
        return 0.0
    return min(target_lufs - song.loudness_lufs, CEILING_DB - song.true_peak_db)
