"""Everything the engine needs of one pool generation: pool, index, scorer and audio, opened together."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model.errors import PoolError
from model.features import EDGE_RATE_HZ
from stream.index import EdgeIndex
from stream.pool import Pool, Song, open_pool
from stream.scorer import Scorer, open_scorer
from stream.spans import SpanReader

ChunkKey = tuple[str, int, int]
"""Audio hash, start and end sample: the same chunk in every generation, unlike its row."""

FALLBACK_EDGE_S = 0.35


@dataclass(frozen=True, kw_only=True, eq=False)
class Generation:
    """One pool generation, ready to plan and to play."""

    pool: Pool
    index: EdgeIndex
    scorer: Scorer | None
    """None when nothing is scored (strategies `random` and `natural`)."""
    reader: SpanReader

    @cached_property
    def keys(self) -> list[ChunkKey]:
        """The key of every row."""
        hashes = [song.audio_hash for song in self.pool.songs]
        return [
            (hashes[song], start, end)
            for song, start, end in zip(
                self.pool.chunk_song.tolist(),
                self.pool.start_sample.tolist(),
                self.pool.end_sample.tolist(),
                strict=True,
            )
        ]

    @cached_property
    def rows(self) -> dict[ChunkKey, int]:
        """The row of every key; two copies of a file share the first one's."""
        return {key: row for row, key in reversed(list(enumerate(self.keys)))}

    def chunk(self, row: int) -> "Chunk":
        """Return one chunk to play."""
        return Chunk(generation=self, row=row)


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """A chunk of one generation, as planner and renderer hand it on."""

    generation: Generation
    row: int

    @property
    def key(self) -> ChunkKey:
        """What names this chunk in every generation."""
        return self.generation.keys[self.row]

    @property
    def song(self) -> Song:
        """The song it belongs to."""
        return self.generation.pool.songs[self.song_index]

    @property
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


def open_generation(folder: Path, *, model: Path | None, threads: int, engine_rate_hz: int) -> Generation:
    """Open the current generation of the pool in `folder`, scored by `model` or, when None, not at all.

    Raises `PoolError` when there is no stream to be made of it, `ModelError` when the model does not fit.
    """
    pool = open_pool(folder)
    if len(pool) < 2:
        raise PoolError(f"{folder} holds a single chunk and a stream needs two; add music, or cut it shorter")
    scorer: Scorer | None = None
    if model is None:
        index = EdgeIndex.from_pool(pool, min(pool.edge_samples, int(FALLBACK_EDGE_S * EDGE_RATE_HZ)))
    else:
        scorer, index = open_scorer(model, pool, threads=threads)
    return Generation(pool=pool, index=index, scorer=scorer, reader=SpanReader(pool, engine_rate_hz))
