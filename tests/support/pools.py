"""This helper makes small pools in memory over real WAV files, so that engine tests need no build."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from model.base.arrays import FloatArray, IntArray
from model.features.edges import chunk_edges
from stream.audio.spans import SpanReader
from stream.choosing.generation import Generation
from stream.index.edge_index import EdgeIndex
from stream.pool.pool import Pool, fingerprint
from stream.pool.songs import Song
from stream.pool.traits import ChunkTraits
from stream.scoring.opening import Opened

EDGE_SAMPLES = 630


def noise_song(seconds: float, seed: int, sample_rate_hz: int = 44_100) -> FloatArray:
    """Stereo noise with a tone of its own, `(frames, 2)`, far below full scale."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * sample_rate_hz)
    tone = 0.1 * np.sin(2 * np.pi * (110 + 40 * seed) * np.arange(frames) / sample_rate_hz)
    audio = rng.normal(0.0, 0.05, (frames, 2)) + tone[:, None]
    return np.clip(audio, -0.9, 0.9).astype(np.float32)


def make_pool(
    folder: Path,
    songs: Sequence[FloatArray],
    *,
    chunk_s: float = 1.5,
    sample_rate_hz: int = 44_100,
    loudness_lufs: float = -20.0,
    true_peak_db: float = -1.0,
    traits: ChunkTraits | None = None,
) -> Pool:
    """Write each song as float WAV and tile it with chunks of `chunk_s`; the rest joins the last.

    traits: of all chunks; None: unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries, chunk_song, starts, ends, heads, tails, prints = [], [], [], [], [], [], []
    for number, audio in enumerate(songs):
        path = folder / f"song{number}.wav"
        soundfile.write(path, audio, sample_rate_hz, subtype="FLOAT")
        entries.append(
            Song(
                song_id=number,
                path=path,
                name=path.name,
                audio_hash=f"hash{number}",
                sample_rate_hz=sample_rate_hz,
                channels=2,
                frames=len(audio),
                title=f"Song {number}",
                artist="Test",
                album="",
                loudness_lufs=loudness_lufs,
                true_peak_db=true_peak_db,
                seekable=True,
                cut="equal",
            )
        )
        length = round(chunk_s * sample_rate_hz)
        count = max(1, len(audio) // length)
        bounds = [chunk * length for chunk in range(count)] + [len(audio)]
        for start, end in itertools.pairwise(bounds):
            head, tail = chunk_edges(audio[start:end], sample_rate_hz, EDGE_SAMPLES)
            heads.append(head)
            tails.append(tail)
            prints.append(fingerprint(audio[start:end]))
            chunk_song.append(number)
            starts.append(start)
            ends.append(end)
    rows = len(chunk_song)
    return Pool(
        folder=folder,
        generation=1,
        complete=True,
        songs=tuple(entries),
        chunk_song=np.array(chunk_song, dtype=np.int64),
        start_sample=np.array(starts, dtype=np.int64),
        end_sample=np.array(ends, dtype=np.int64),
        loudness_db=np.full(rows, -20.0, dtype=np.float32),
        fingerprints=np.stack(prints),
        heads=np.stack(heads),
        tails=np.stack(tails),
        traits=ChunkTraits.unknown(rows) if traits is None else traits,
    )


class MadeUpScorer:
    """A scorer that gives what a function of the reference and the candidates returns; counts its calls."""

    def __init__(self, function: Callable[[int, IntArray | None], FloatArray]) -> None:
        self._function = function
        self.asked = 0
        self.cancelled = False

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        self.asked += 1
        return self._function(reference, candidates)

    def kept(self, reference: int) -> FloatArray | None:
        return None

    def cancel(self) -> None:
        self.cancelled = True


def table_scorer(table: FloatArray) -> MadeUpScorer:
    """Give the scores of a fixed table, `(N, N)`."""

    def look_up(reference: int, candidates: IntArray | None) -> FloatArray:
        row: FloatArray = table[reference]
        return row if candidates is None else row[candidates]

    return MadeUpScorer(look_up)


def make_generation(pool: Pool, *, seed: int = 0, engine_rate_hz: int = 44_100) -> Generation:
    """A generation whose scorer gives seeded random scores."""
    table = np.random.default_rng(seed).random((len(pool), len(pool))).astype(np.float32)
    return Generation(
        pool=pool,
        opened=Opened(index=EdgeIndex.from_pool(pool, EDGE_SAMPLES), scorer=table_scorer(table)),
        reader=SpanReader(pool, engine_rate_hz),
    )


def with_opened(generation: Generation, **changes: Any) -> Generation:
    """The same generation, of which a scorer or something else was opened otherwise."""
    return replace(generation, opened=replace(generation.opened, **changes))


def with_traits(generation: Generation, **columns: object) -> Generation:
    """Return `generation` with these traits, all others unknown."""
    unknown = ChunkTraits.unknown(len(generation.index))
    values = {name: np.asarray(value, dtype=getattr(unknown, name).dtype) for name, value in columns.items()}
    return replace(generation, pool=replace(generation.pool, traits=replace(unknown, **values)))  # type: ignore[arg-type]


def with_beat(generation: Generation, tempo_bpm: float) -> Generation:
    """Return `generation` with a sure beat of one tempo, on the start and on the end of every chunk."""
    rows = len(generation.pool)
    return with_traits(
        generation,
        tempo_bpm=np.full(rows, tempo_bpm),
        beat_confidence=np.ones(rows),
        end_beat_s=np.zeros(rows),
        start_beat_s=np.zeros(rows),
    )
