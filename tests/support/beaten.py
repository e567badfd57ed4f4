"""This helper makes songs with a beat of which all is known, and generations in which their timelines are."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from stream.choosing.generation import Chunk, Generation
from stream.doors.door import Door
from stream.doors.judging import judge_door
from stream.doors.settings import DoorSettings
from stream.doors.side import DoorSide
from stream.pool.pool import Pool
from stream.pool.timeline import SongTimeline
from tests.support.pools import make_generation, make_pool

RATE_HZ = 44_100


def steady_beats(seconds: float, bpm: float, first_s: float = 0.0) -> np.ndarray:
    """Times of a steady beat."""
    return np.arange(first_s, seconds, 60.0 / bpm)


def beaten_song(seconds: float, beats_s: np.ndarray, seed: int, *, level: float = 0.2) -> FloatArray:
    """A song with a struck sound at each beat over a soft chord, `(frames, 2)`; silent after `seconds`."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE_HZ)
    song = np.zeros(frames)
    time_s = np.arange(round(0.12 * RATE_HZ)) / RATE_HZ
    for beat_s in beats_s:
        first = round(beat_s * RATE_HZ)
        struck = rng.normal(0.0, 1.0, len(time_s)) * np.exp(-time_s / 0.02)
        struck += np.sin(2 * np.pi * 60.0 * time_s) * np.exp(-time_s / 0.04)
        song[first : first + len(time_s)] += level * struck[: max(0, frames - first)]
    for hz in (220.0, 277.0, 330.0):
        song += 0.02 * np.sin(2 * np.pi * (hz + 7 * seed) * np.arange(frames) / RATE_HZ + seed)
    return np.repeat(song[:, None], 2, axis=1).astype(np.float32)


def known_timeline(
    seconds: float,
    beats_s: np.ndarray,
    *,
    beats_per_bar: int = 4,
    confidence: float = 1.0,
    voice: Sequence[tuple[float, float]] = (),
    silent: Sequence[tuple[float, float]] = (),
    thin: Sequence[tuple[float, float]] = (),
) -> SongTimeline:
    """A timeline whose first beat is a downbeat; voice, silent, thin: spans in seconds."""
    count = len(beats_s)
    sung = np.zeros(round(10 * seconds), dtype=np.float32)
    for start_s, end_s in voice:
        sung[round(10 * start_s) : round(10 * end_s)] = 1.0
    levels = np.full((round(2 * seconds), 3), -20.0, dtype=np.float32)
    for spans, level_db in ((thin, -40.0), (silent, -100.0)):
        for start_s, end_s in spans:
            levels[round(2 * start_s) : round(2 * end_s)] = level_db
    return SongTimeline(
        beats_s=np.asarray(beats_s, dtype=np.float64),
        beat_positions=(np.arange(count) % max(1, beats_per_bar)).astype(np.int8)
        if beats_per_bar
        else np.full(count, -1, dtype=np.int8),
        beats_per_bar=np.full(count, beats_per_bar, dtype=np.int8),
        beat_confidence=np.full(count, confidence, dtype=np.float32),
        voice=sung if voice else np.empty(0, dtype=np.float32),
        bands_db=levels,
    )


class KnownTimelines:
    """Timelines that stand in no database."""

    def __init__(self, timelines: Sequence[SongTimeline | None]) -> None:
        self._timelines = timelines

    def of(self, song: int) -> SongTimeline | None:
        return self._timelines[song]

    def read(self, songs: Iterable[int]) -> None:
        """They are all there."""


def beaten_pool(
    folder: Path,
    songs: Sequence[FloatArray],
    timelines: Sequence[SongTimeline | None],
    *,
    chunk_s: float = 2.0,
) -> Pool:
    """A pool of such songs, with traits as their timelines have them."""
    pool = make_pool(folder, songs, chunk_s=chunk_s)
    sure = [0.0 if line is None or not len(line.beats_s) else 1.0 for line in timelines]
    beaten = np.array(sure, dtype=np.float32)[pool.chunk_song]
    return replace(pool, traits=replace(pool.traits, beat_confidence=beaten, bar_confidence=beaten.copy()))


def beaten_generation(
    folder: Path,
    songs: Sequence[FloatArray],
    timelines: Sequence[SongTimeline | None],
    *,
    chunk_s: float = 2.0,
) -> Generation:
    """A generation of such songs."""
    generation = make_generation(beaten_pool(folder, songs, timelines, chunk_s=chunk_s))
    vars(generation)["timelines"] = KnownTimelines(timelines)
    return generation


def door_side(chunk: Chunk) -> DoorSide:
    """One side of a door, as the engine makes it."""
    generation = chunk.generation
    return DoorSide(pool=generation.pool, row=chunk.row, timeline=generation.timelines.of(chunk.song_index))


def judged(generation: Generation, a: int, b: int, settings: DoorSettings | None = None) -> Door:
    """The door between two chunks by their rows."""
    sides = [door_side(generation.chunk(row)) for row in (a, b)]
    return judge_door(*sides, settings or DoorSettings())
