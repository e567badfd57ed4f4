"""This benchmark shows how a stream wanders in a day, by chunks, songs, terms and time for each decision.

It needs no audio: embeddings are made up (songs in clusters), or a pool is given, with a model that has some.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.record import record
from model.base.arrays import DoubleArray, FloatArray
from model.saved.carried import chosen_model
from stream.audio.spans import SpanReader
from stream.choosing.generation import Generation, open_generation
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.index.edge_index import EdgeIndex
from stream.index.vector_index import EmbeddingIndex
from stream.pool.pool import FINGERPRINT_FRAMES, Pool
from stream.pool.song_table import SongTable
from stream.pool.songs import Song
from stream.pool.traits import ChunkTraits
from stream.scoring.opening import Opened
from stream.scoring.settings import ScoringSettings
from stream.scoring.vector_scorer import VectorScorer

RATE_HZ = 44_100
HOURS = 24.0
LEAST_MS = 0.2
"""A step that carries out what was decided before takes less, and is no decision."""


def made_up(*, songs: int, chunks: int, chunk_s: float, seed: int, width: int = 64) -> Generation:
    """Return a generation of `songs` times `chunks` made-up embeddings, without audio."""
    rng = np.random.default_rng(seed)
    count = songs * chunks
    # Songs differ, and within a song what follows is a little like what was.
    centres = np.repeat(rng.normal(0.0, 1.0, (songs, width)), chunks, axis=0)
    drift = rng.normal(0.0, 1.0, (count + 1, width))
    starts, ends = centres + drift[:-1], centres + drift[1:]
    index = EmbeddingIndex.quantised(_unit(ends), _unit(starts), metric="dot", key="made up")
    bands = EmbeddingIndex.quantised(
        rng.normal(-30.0, 6.0, (count, 12)).astype(np.float32),
        rng.normal(-30.0, 6.0, (count, 12)).astype(np.float32),
        metric="l1",
        key="made up",
    )
    length = round(chunk_s * RATE_HZ)
    chunk_song = np.repeat(np.arange(songs, dtype=np.int32), chunks)
    start_sample = np.tile(np.arange(chunks) * length, songs)
    pool = Pool(
        folder=Path(),
        generation=1,
        complete=True,
        songs=SongTable(_song(number, chunks * length) for number in range(songs)),
        chunk_song=chunk_song,
        start_sample=start_sample,
        end_sample=start_sample + length,
        loudness_db=np.full(count, -20.0, dtype=np.float32),
        fingerprints=np.zeros((count, 2, FINGERPRINT_FRAMES, 2), dtype=np.float32),
        heads=np.zeros((count, 2, 1), dtype=np.float32),
        tails=np.zeros((count, 2, 1), dtype=np.float32),
        traits=ChunkTraits.unknown(count),
    )
    edges = np.zeros((count, 1), dtype=np.float32)
    return Generation(
        pool=pool,
        opened=Opened(
            index=EdgeIndex(
                heads=edges, tails=edges, bands=bands, song=chunk_song, successor=pool.successors()
            ),
            scorer=VectorScorer(index, {"scale": 12.0, "offset": -9.0}),
            vectors=index,
        ),
        reader=SpanReader(pool, RATE_HZ),
    )


def _unit(vectors: DoubleArray) -> FloatArray:
    scaled: FloatArray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def _song(number: int, frames: int) -> Song:
    name = f"song{number}"
    return Song(
        song_id=number,
        path=Path(name),
        name=name,
        audio_hash=name,
        sample_rate_hz=RATE_HZ,
        channels=2,
        frames=frames,
        title=name,
        artist="",
        album="",
        loudness_lufs=-16.0,
        true_peak_db=-1.0,
        seekable=True,
        cut="equal",
    )


def wander(generation: Generation, hours: float, settings: PlannerSettings) -> dict[str, object]:
    """Plan `hours` of stream and return what came of it."""
    planner = Planner(generation, settings)
    began_s = time.perf_counter()
    planner.deliver(planner.next())
    planner.prepare()
    prepared_s = time.perf_counter() - began_s
    plays = np.zeros(len(generation.index), dtype=np.int64)
    songs = np.zeros(len(generation.pool.songs), dtype=np.int64)
    took_ms, took_cpu_ms, terms, phrases_s = [], [], Counter[str](), [0.0]
    joins = others = 0
    heard_s = 0.0
    while heard_s < hours * 3600:
        began_cpu_s = time.process_time()
        step = planner.next()
        cpu_ms = (time.process_time() - began_cpu_s) * 1e3
        planner.deliver(step)
        heard_s += step.length_s
        plays[step.chunk.row] += 1
        songs[step.chunk.song_index] += 1
        if step.considered > 1 and step.decision_ms > LEAST_MS:
            took_ms.append(step.decision_ms)
            took_cpu_ms.append(cpu_ms)
        if step.natural:
            phrases_s[-1] += step.length_s
            continue
        phrases_s.append(step.length_s)
        joins, others = joins + 1, others + step.leaves_song
        terms.update(step.terms)
    p50, p99 = np.percentile(took_ms, [50, 99])
    cpu_p50, cpu_p99 = np.percentile(took_cpu_ms, [50, 99])
    return {
        "chunks": len(plays),
        "hours": hours,
        "steps": int(plays.sum()),
        "joins": joins,
        "share_to_other_songs": round(others / max(1, joins), 3),
        "largest_share_over_fair": round(float(plays.max() / plays.mean()), 2),
        "chunks_never_played": int(np.count_nonzero(plays == 0)),
        "songs_never_played": int(np.count_nonzero(songs == 0)),
        "phrase_p50_s": round(float(np.median(phrases_s)), 1),
        "mean_terms": {name: round(value / max(1, joins), 3) for name, value in terms.items()},
        "prepare_s": round(prepared_s, 3),
        "decision_p50_ms": round(float(p50), 3),
        "decision_p99_ms": round(float(p99), 3),
        "decision_cpu_p50_ms": round(float(cpu_p50), 3),
        "decision_cpu_p99_ms": round(float(cpu_p99), 3),
    }


def main() -> None:
    """Measure pools of 1,800 and 20,000 made-up chunks, or the one named (and its model, and `walk`)."""
    settings = PlannerSettings(seed=1, walk=sys.argv[3:] == ["walk"])
    if len(sys.argv) > 1:
        model = chosen_model(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
        opened = open_generation(Path(sys.argv[1]), ScoringSettings(model=model), engine_rate_hz=RATE_HZ)
        report(wander(opened, HOURS, settings))
        return
    for songs, hours in ((45, HOURS), (500, 2.0), (25_000, 0.1)):
        report(wander(made_up(songs=songs, chunks=40, chunk_s=4.0, seed=1), hours, settings))


def report(figures: dict[str, object]) -> None:
    """Print and keep the figures of one pool."""
    for name, value in figures.items():
        print(f"{name:28} {value}")
    record("planning", figures)


if __name__ == "__main__":
    main()
