"""A generation opens all that the engine needs of one state of a pool, such as index, scorer and audio."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from model.base.errors import PoolError
from stream.audio.spans import SpanReader
from stream.doors.timelines import Timelines
from stream.index.edge_index import EdgeIndex
from stream.pool.pool import ChunkKey, Pool, open_pool
from stream.pool.songs import Song
from stream.scoring.opening import Opened, open_scorer
from stream.scoring.scorer import Scorer
from stream.scoring.settings import ScoringSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class Generation:
    """One pool generation, ready to plan and to play."""

    pool: Pool
    opened: Opened
    reader: SpanReader

    @property
    def index(self) -> EdgeIndex:
        """What is nearest when nothing is scored."""
        return self.opened.index

    @property
    def scorer(self) -> Scorer | None:
        """None when nothing is scored (strategies `random` and `natural`)."""
        return self.opened.scorer

    @cached_property
    def timelines(self) -> Timelines:
        """The timelines of its songs."""
        return Timelines(self.pool)

    def song_of(self, audio_hash: str) -> int | None:
        """Return the index of the song with this hash, or None when it is not in the pool."""
        return self.pool.song_of(audio_hash)

    def song_rows(self, song: int) -> slice:
        """Return the rows of a song's chunks."""
        return self.pool.song_rows(song)

    def key(self, row: int) -> ChunkKey:
        """Return the key of a row."""
        pool = self.pool
        audio_hash = pool.songs[int(pool.chunk_song[row])].audio_hash
        return ChunkKey(
            audio_hash=audio_hash,
            start_sample=int(pool.start_sample[row]),
            end_sample=int(pool.end_sample[row]),
        )

    def row(self, key: ChunkKey) -> int | None:
        """Return the row of a key, or None when the pool has no such chunk."""
        song = self.song_of(key.audio_hash)
        if song is None:
            return None
        rows = self.song_rows(song)
        row = rows.start + int(np.searchsorted(self.pool.start_sample[rows], key.start_sample))
        if row >= rows.stop:
            return None
        # The song may be known by another name than the key gives it.
        found = self.key(row)
        return row if replace(found, audio_hash=key.audio_hash) == key else None

    def retire(self) -> None:
        """End the thread that scores; chunks of this generation can still be played."""
        self.opened.close()

    def close(self) -> None:
        """Close the songs too."""
        self.retire()
        self.reader.close()

    def chunk(self, row: int) -> "Chunk":
        """Return one chunk to play."""
        return Chunk(generation=self, row=row)


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """A chunk of one generation, as planner and renderer hand it on."""

    generation: Generation
    row: int

    @cached_property
    def key(self) -> ChunkKey:
        """What names this chunk in every generation."""
        return self.generation.key(self.row)

    @cached_property
    def song(self) -> Song:
        """The song it belongs to, of an album in one file under the name of its track."""
        pool = self.generation.pool
        middle = (int(pool.start_sample[self.row]) + int(pool.end_sample[self.row])) // 2
        return pool.songs[self.song_index].at(middle)

    @cached_property
    def song_index(self) -> int:
        """Index of its song in this generation."""
        return int(self.generation.pool.chunk_song[self.row])

    @property
    def start_s(self) -> float:
        """Where it starts in its song."""
        return float(self.generation.pool.start_sample[self.row]) / self.song.sample_rate_hz

    @property
    def end_s(self) -> float:
        """Where it ends in its song."""
        return float(self.generation.pool.end_sample[self.row]) / self.song.sample_rate_hz


def open_generation(folder: Path, scoring: ScoringSettings, *, engine_rate_hz: int) -> Generation:
    """Open the current generation of the pool in `folder`.

    Raises `PoolError` when there is no stream to be made of it, `ModelError` when the model does not fit.
    """
    pool = open_pool(folder)
    if len(pool) < 2:
        raise PoolError(f"{folder} holds a single chunk and a stream needs two; add music, or cut it shorter")
    opened = open_scorer(pool, scoring)
    return Generation(pool=pool, opened=opened, reader=SpanReader(pool, engine_rate_hz))
