"""A composition is a stream of chunks that were chosen beforehand, and it ends with the last of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray
from stream.audio.spans import SpanReader
from stream.choosing.step import Step
from stream.engine.decisions import Decision
from stream.engine.given_steps import GivenSteps
from stream.engine.renderer import Renderer
from stream.joins.join_planner import JoinPlanner
from stream.joins.settings import SoundSettings
from stream.pool.chunk_names import chunk_name

COMPOSED_BLOCK_FRAMES = 16_384
END_FADE_S = 0.1
"""The last chunk of a joined composition is faded out so long."""


@dataclass(frozen=True, kw_only=True)
class PlacedChunk:
    """One chunk of a composition, and where in it it begins."""

    step: Step
    start_frame: int
    """In frames of the composition; of a joined chunk, where the join is at its middle."""
    rate_hz: int

    @property
    def start_s(self) -> float:
        """Where it begins, in seconds of the composition."""
        return self.start_frame / self.rate_hz

    def as_json(self) -> dict[str, object]:
        """Return what is told of it; times in seconds."""
        step, chunk = self.step, self.step.chunk
        pool = chunk.generation.pool
        return {
            "chunk": chunk_name(pool, chunk.row),
            "song": pool.songs[chunk.song_index].name,
            "artist": chunk.song.artist,
            "title": chunk.song.title,
            "audio_hash": chunk.key.audio_hash,
            "start_s": chunk.start_s,
            "end_s": chunk.end_s,
            "at_s": self.start_s,
            "natural": step.natural,
            "score": step.score,
            "rank": step.rank,
            "considered": step.considered,
        }


class JoinedComposition:
    """Steps under the engine's own joins, levels and limiter; `placed` is whole when `blocks` has ended."""

    def __init__(self, steps: Sequence[Step], settings: SoundSettings) -> None:
        """steps: of one generation, whose reader has the rate of the settings."""
        self.rate_hz = settings.engine_rate_hz
        self.placed: list[PlacedChunk] = []
        self._steps = steps
        self._stop_frame: int | None = None
        given = GivenSteps(steps, JoinPlanner(settings))
        self._renderer = Renderer(given, given, on_decision=self._note)

    def blocks(self) -> Iterator[FloatArray]:
        """Yield it, `(n, 2)` float32 each; `EndlosError` when a song cannot be read as it was."""
        done = 0
        while self._stop_frame is None or done < self._stop_frame:
            block = self._renderer.render(COMPOSED_BLOCK_FRAMES)
            if self._stop_frame is not None:
                block = block[: self._stop_frame - done]
                fade_frames = END_FADE_S * self.rate_hz
                left = self._stop_frame - done - np.arange(len(block))
                block = block * np.minimum(1.0, left / fade_frames).astype(np.float32)[:, np.newaxis]
            done += len(block)
            yield block

    def _note(self, decision: Decision) -> None:
        step, plan = decision.step, decision.plan
        self.placed.append(PlacedChunk(step=step, start_frame=decision.t_out_frames, rate_hz=self.rate_hz))
        if step is self._steps[-1]:
            start, stop = step.chunk.generation.reader.chunk_span(step.chunk.row)
            self._stop_frame = decision.t_out_frames + stop - (plan.enter_frame if plan else start)


class PlainComposition:
    """Steps one after the other as the report has them: the songs' own samples, and nothing done to them."""

    def __init__(self, steps: Sequence[Step], reader: SpanReader) -> None:
        """reader: of the pool of the steps; songs of another rate than its are resampled."""
        self.rate_hz = reader.engine_rate_hz
        self._reader = reader
        self.placed: list[PlacedChunk] = []
        at_frame = 0
        for step in steps:
            self.placed.append(PlacedChunk(step=step, start_frame=at_frame, rate_hz=self.rate_hz))
            start, stop = reader.chunk_span(step.chunk.row)
            at_frame += stop - start

    def blocks(self) -> Iterator[FloatArray]:
        """Yield it, `(n, 2)` float32 each; `DecodeError` when a song cannot be read as it was."""
        for placed in self.placed:
            chunk = placed.step.chunk
            self._reader.check(chunk.row)
            start, stop = self._reader.chunk_span(chunk.row)
            for first in range(start, stop, COMPOSED_BLOCK_FRAMES):
                yield self._reader.read(chunk.song_index, first, min(stop, first + COMPOSED_BLOCK_FRAMES))
