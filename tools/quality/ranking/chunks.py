"""This module cuts the chunks that are asked about, with a gap at both ends, into pools in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.base.errors import DecodeError, EndlosError
from model.features.edges import EDGE_RATE_HZ, chunk_edges
from model.features.seam import SeamSides, seam_sides
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES, chunk_spectra
from stream.audio.decode import decode
from stream.pool.pool import FINGERPRINT_FRAMES, Pool
from stream.pool.traits import ChunkTraits

EDGE_S = 2.0
"""Edges are kept as long as pools keep them."""
_SHORTEST_S = 0.25
"""Less than this is not left of a chunk: it is not asked about."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CutSongs:
    """Some songs of a pool and where they are cut; chunks of a song side by side and in order."""

    pool: Pool
    songs: IntArray
    """Their numbers in the pool."""
    bounds: tuple[IntArray, ...]
    """For each song, `(chunks, 2)` start and end in its own samples."""

    def __len__(self) -> int:
        return sum(len(spans) for spans in self.bounds)


def cut_songs(pool: Pool, songs: IntArray, *, chunk_s: float | None, longest_gap_s: float) -> CutSongs:
    """Return spans of `songs`: the pool's own chunks, or equal ones of `chunk_s` (a rest is left out).

    Chunks that `longest_gap_s` on both sides would leave nothing of are not among them; what stands on both
    sides of such a chunk is then not taken for neighbours.
    """
    bounds = []
    for song in songs.tolist():
        own = np.flatnonzero(pool.chunk_song == song)
        starts, ends = pool.start_sample[own], pool.end_sample[own]
        rate_hz = pool.songs[song].sample_rate_hz
        if chunk_s is not None:
            length = round(chunk_s * rate_hz)
            starts = np.arange(starts[0], ends[-1] - length + 1, length)
            ends = starts + length
        long_enough = ends - starts >= (2 * longest_gap_s + _SHORTEST_S) * rate_hz
        bounds.append(np.stack([starts, ends], axis=1)[long_enough])
    return CutSongs(pool=pool, songs=songs, bounds=tuple(bounds))


def gapped_pools(
    cut: CutSongs, gaps_ms: Sequence[float], folder: Path, progress: Callable[[int], None]
) -> Iterator[tuple[float, Pool]]:
    """Yield for each gap a pool in memory, whose chunks have lost that much at both ends.

    Each song is decoded once; what is made of it stands in files of `folder`, so that memory is bounded.
    progress: told how many songs are done. `DecodeError` when a song is gone or has changed.
    """
    count = len(cut)
    edge_samples = round(EDGE_S * EDGE_RATE_HZ)
    shapes = {
        "heads": ((count, 2, edge_samples), np.float32),
        "tails": ((count, 2, edge_samples), np.float32),
        "spectra": ((count, 2, SPECTRUM_FRAMES, SPECTRUM_BINS), np.float16),
    }
    arrays = {
        (gap_ms, name): np.lib.format.open_memmap(
            folder / f"{name}-{number}.npy", mode="w+", dtype=dtype, shape=shape
        )
        for number, gap_ms in enumerate(gaps_ms)
        for name, (shape, dtype) in shapes.items()
    }
    row = 0
    for place, (song, spans) in enumerate(zip(cut.songs.tolist(), cut.bounds, strict=True)):
        audio, rate_hz = _decoded(cut.pool, song)
        for start, end in spans.tolist():
            for gap_ms in gaps_ms:
                gap = round(gap_ms * rate_hz / 1000)
                chunk = np.ascontiguousarray(audio[start + gap : end - gap])
                head, tail = chunk_edges(chunk, rate_hz, edge_samples)
                arrays[gap_ms, "heads"][row], arrays[gap_ms, "tails"][row] = head, tail
                arrays[gap_ms, "spectra"][row] = chunk_spectra(chunk, rate_hz)
            row += 1
        progress(place + 1)
    for number, gap_ms in enumerate(gaps_ms):
        home = folder / f"pool-{number}"
        home.mkdir()
        yield gap_ms, _pool(cut, home, {name: arrays[gap_ms, name] for name in shapes})


def gapped_sides(pool: Pool, gap_s: float, *, alone: bool = False) -> SeamSides:
    """Return what seams are compared by where `gap_s` is missing at both ends of every chunk.

    alone: as if no chunk had a song around it; else ends know what comes before them in their song, gaps left
    out, and starts what follows.
    """
    assert pool.spectra is not None  # gapped pools have them
    spans_s = np.stack([pool.start_s() + gap_s, pool.end_s() - gap_s], axis=1)
    first_rows = np.flatnonzero(np.diff(pool.chunk_song, prepend=-1))
    parts = np.arange(1, len(pool)) if alone else first_rows[1:]
    found = [
        seam_sides(pool.spectra[rows[0] : rows[-1] + 1], spans_s[rows], apart_s=2 * gap_s)
        for rows in np.split(np.arange(len(pool)), parts)
    ]
    return SeamSides(
        ends=np.concatenate([sides.ends for sides in found]),
        starts=np.concatenate([sides.starts for sides in found]),
    )


def _decoded(pool: Pool, song: int) -> tuple[FloatArray, int]:
    entry = pool.songs[song]
    if not entry.path.is_file():
        raise DecodeError(f"{entry.path} is gone; put it back, or run `endlos pool build` again")
    audio, rate_hz = decode(entry.path)
    if (len(audio), rate_hz) != (entry.frames, entry.sample_rate_hz):
        raise DecodeError(f"{entry.path} has changed since the pool was built; run `endlos pool build` again")
    return audio, rate_hz


def _pool(cut: CutSongs, home: Path, arrays: dict[str, npt.NDArray[Any]]) -> Pool:
    """Return a pool of the cut chunks, for scorers; nobody plays it."""
    count = len(cut)
    if count < 2:
        raise EndlosError("there are not two chunks to ask about; take more songs, or shorter chunks")
    spans = np.concatenate(cut.bounds)
    return replace(
        cut.pool,
        folder=home,
        chunk_song=np.repeat(cut.songs, [len(own) for own in cut.bounds]),
        start_sample=spans[:, 0],
        end_sample=spans[:, 1],
        loudness_db=np.zeros(count, dtype=np.float32),
        fingerprints=np.zeros((count, 2, FINGERPRINT_FRAMES, 2), dtype=np.float32),
        traits=ChunkTraits.unknown(count),
        heads=arrays["heads"],
        tails=arrays["tails"],
        spectra=arrays["spectra"],
        # Of the chunks as the pool has them; `gapped_sides` makes those of the cut ones.
        sides=None,
        textures=None,
    )
