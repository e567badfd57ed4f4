"""This module renders the streams that joins are cut from, the engine's and equal chunks crossfaded."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.errors import PoolError
from stream.audio.spans import SpanReader
from stream.choosing.settings import PlannerSettings, Strategy
from stream.engine.decisions import Decision
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.joins.levels import song_gain
from stream.pool.pool import open_pool
from tools.quality.joins.boundaries import Boundary, boundary

PLAIN_CHUNK_S = 3.0
PLAIN_FADE_S = 0.08
PLAIN_NATURAL_SHARE = 0.5
"""Share of the plain stream's boundaries that are natural, so that as many places are not joined."""


class EngineStream:
    """The engine as it ships, by strategy and seed; closes with `close`."""

    def __init__(self, pool: Path, settings: EngineSettings) -> None:
        self.boundaries: list[Boundary] = []
        self.decisions: list[Decision] = []
        self.rate_hz = settings.engine_rate_hz
        self._engine = Engine.open(pool, settings, on_decision=self._note)

    @classmethod
    def of(cls, pool: Path, strategy: Strategy, seed: int, model: Path | None) -> "EngineStream":
        """Open one with the default settings."""
        planner = PlannerSettings(strategy=strategy, seed=seed)
        return cls(pool, replace(EngineSettings(), planner=planner, model=model))

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        return self._engine.render(frames)

    def close(self) -> None:
        """Close the songs."""
        self._engine.close()

    def _note(self, decision: Decision) -> None:
        self.decisions.append(decision)
        found = boundary(decision.as_json())
        if found is not None:
            self.boundaries.append(found)


class PlainStream:
    """Equal chunks of random songs under a fixed equal-power crossfade: what a detector must hear to qualify.

    Half of the boundaries, drawn at random, go on naturally. Songs have the engine's gain.
    """

    def __init__(self, pool: Path, seed: int, *, target_lufs: float | None = -16.0) -> None:
        self.rate_hz = 44_100
        self.boundaries: list[Boundary] = []
        self._pool = open_pool(pool)
        self._reader = SpanReader(self._pool, self.rate_hz)
        self._gains = [song_gain(song, target_lufs) for song in self._pool.songs]
        self._rng = np.random.default_rng([seed, 3])
        self._chunk_frames = round(PLAIN_CHUNK_S * self.rate_hz)
        self._half = round(PLAIN_FADE_S * self.rate_hz / 2)
        self._spans = self._equal_chunks()
        if len(self._spans) < 3:
            raise PoolError(f"the songs are too short for joins of {PLAIN_CHUNK_S:g} s chunks; add music")
        self._row = int(self._rng.integers(len(self._spans)))
        self._ready: FloatArray = np.zeros((0, 2), dtype=np.float32)
        self._time_frames = 0
        self._from_half = False

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        parts = [self._ready]
        have = len(self._ready)
        while have < frames:
            piece = self._next_piece()
            parts.append(piece)
            have += len(piece)
        whole = np.concatenate(parts)
        self._ready = whole[frames:]
        return whole[:frames]

    def close(self) -> None:
        """Close the songs."""
        self._reader.close()

    def _equal_chunks(self) -> IntArray:
        """Return `(n, 3)`: song, start, stop in engine frames; neighbours in a song are neighbours here."""
        spans = []
        for song in range(len(self._pool.songs)):
            rows = np.flatnonzero(self._pool.chunk_song == song)
            first, stop = self._reader.chunk_span(int(rows[0]))[0], self._reader.chunk_span(int(rows[-1]))[1]
            starts = np.arange(first, stop - self._chunk_frames + 1, self._chunk_frames)
            spans += [(song, int(start), int(start) + self._chunk_frames) for start in starts]
        return np.array(spans, dtype=np.int64)

    def _next_piece(self) -> FloatArray:
        """Return the stream from behind one boundary to behind the next one."""
        song, start, stop = (int(value) for value in self._spans[self._row])
        follows = self._row + 1 < len(self._spans) and self._spans[self._row + 1, 0] == song
        natural = bool(follows and self._rng.random() < PLAIN_NATURAL_SHARE)
        following = self._row + 1
        while not natural and following in (self._row, self._row + 1):
            following = int(self._rng.integers(len(self._spans)))
        first = start + self._half if self._from_half else start
        self._time_frames += stop - start
        to_song, to_start, to_stop = (int(value) for value in self._spans[following])
        self.boundaries.append(
            Boundary(
                centre_frames=self._time_frames,
                before_frames=0 if natural else self._half,
                after_frames=0 if natural else self._half,
                joined=not natural,
                from_key=(self._pool.songs[song].audio_hash, start, stop),
                to_key=(self._pool.songs[to_song].audio_hash, to_start, to_stop),
                left_s=stop / self.rate_hz,
                entered_s=to_start / self.rate_hz,
            )
        )
        self._row, self._from_half = following, not natural
        if natural:
            return self._read(song, first, stop)
        body = self._read(song, first, stop - self._half)
        outgoing = self._read(song, stop - self._half, stop + self._half)
        incoming = self._read(to_song, to_start - self._half, to_start + self._half)
        angle = ((np.arange(2 * self._half) + 0.5) / (2 * self._half) * (np.pi / 2)).astype(np.float32)
        faded = outgoing * np.cos(angle)[:, None] + incoming * np.sin(angle)[:, None]
        return np.concatenate([body, faded])

    def _read(self, song: int, start: int, stop: int) -> FloatArray:
        return self._reader.read(song, start, stop) * self._gains[song]
