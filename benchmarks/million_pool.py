"""This helper writes a pool of a million chunks, which are those of a real pool again and again with noise.

What a decision reads is all there. Edges and spectra, which none reads, are empty holes in their files.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import IntArray
from model.features.seam import BEST_LAG, SEAM_GROUPS
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from stream.index.edge_index import BandLevels, EdgeIndex
from stream.index.model_graphs import graphs_of, pool_identities
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import CHUNKS, pool_embeddings
from stream.pool.columns import column_file, column_folder, columns
from stream.pool.database import DATABASE_FILE, SCHEMA, SCHEMA_VERSION
from stream.pool.pool import Pool, decoded_copy, generation_folder, open_pool
from stream.pool.traits import PITCH_CLASSES, TRAIT_COLUMNS

_EMPTY = ("heads", "tails", "spectra")
_BLOCK = 4_096
_ENDS = dict(zip(SEAM_GROUPS, np.cumsum(list(SEAM_GROUPS.values())).tolist(), strict=True))
_SPREADS = slice(_ENDS["mel, spread"] - SEAM_GROUPS["mel, spread"], _ENDS["mel, spread"])
_NOISY_TRAITS = {
    "tempo_bpm": (0.03, True),
    "start_lufs": (1.0, False),
    "end_lufs": (1.0, False),
}
"""Noise of a trait, and whether it is a share of its value."""
SEAM_NOISE_STEPS = 40
EMBEDDING_NOISE_LEVELS = 12
BAND_NOISE_LEVELS = 4


def write_large_pool(source: Path, folder: Path, chunks: int) -> Pool:
    """Write a pool of about `chunks` made of that in `source`, whole songs alone, and return it."""
    real = open_pool(source)
    copies = -(-chunks // len(real))
    _write_database(real, folder, copies)
    _write_columns(real, folder, copies)
    pool = open_pool(folder)
    _link_decoded(real, pool)
    model = carried_model()
    contract = load_contract(model)
    graphs = graphs_of(model, contract)
    home = generation_folder(folder, pool.generation)
    home.mkdir(parents=True)
    found = pool_embeddings(real, model, contract, write=False)
    _repeated(found, copies, graphs.key, EMBEDDING_NOISE_LEVELS).write(
        graphs.place(home), {CHUNKS: pool_identities(pool)}
    )
    bands = EdgeIndex.from_pool(real, contract.edge_samples).bands
    levels = BandLevels(edge_samples=contract.edge_samples)
    _repeated(bands, copies, levels.key, BAND_NOISE_LEVELS).write(levels.place(home))
    return pool


def _write_database(real: Pool, folder: Path, copies: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    counts = np.bincount(real.chunk_song, minlength=len(real.songs)).tolist()
    firsts = (np.cumsum(counts) - counts).tolist()
    rows: list[tuple[object, ...]] = []
    placed: list[tuple[int, int, int]] = []
    for copy in range(copies):
        for number, song in enumerate(real.songs):
            song_id = len(rows) + 1
            root = song.path.parents[len(Path(song.name).parts) - 1]
            rows.append(
                (
                    *(song_id, str(root), song.name, f"{copy:08x}{song.audio_hash[8:]}", counts[number]),
                    *(song.sample_rate_hz, song.channels, song.frames),
                    *(f"{song.title} {copy}", f"{song.artist} {copy}", song.album),
                    *(song.loudness_lufs, song.true_peak_db, song.seekable, song.cut),
                )
            )
            placed.append((song_id - 1, song_id, copy * len(real) + firsts[number]))
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database:
        database.executescript(SCHEMA)
        database.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("schema", str(SCHEMA_VERSION)), ("generation", "1")]
        )
        database.execute(
            "INSERT INTO generations VALUES (1, 1, ?, 0, 1, ?)", (real.edge_samples, copies * len(real))
        )
        database.executemany(
            """INSERT INTO songs (song_id, root, path, audio_hash, chunks, sample_rate_hz, channels, frames,
                   title, artist, album, loudness_lufs, true_peak_db, seekable, cut,
                   file_hash, analysis_key, size_bytes, mtime_ns, ctime_ns)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 'key', 1, 1, 1)""",
            rows,
        )
        database.executemany("INSERT INTO generation_songs VALUES (1, ?, ?, ?)", placed)
        database.commit()


def _link_decoded(real: Pool, pool: Pool) -> None:
    """Let songs whose files cannot be sought in be heard from the decoded copies of the real ones."""
    decoded_copy(pool.folder, "").parent.mkdir()
    hashes = list(real.audio_hashes)
    for number, audio_hash in enumerate(pool.audio_hashes):
        there = decoded_copy(real.folder, hashes[number % len(hashes)])
        if there.exists():
            decoded_copy(pool.folder, audio_hash).symlink_to(there.absolute())


def _write_columns(real: Pool, folder: Path, copies: int) -> None:
    target = column_folder(folder, 1)
    target.mkdir(parents=True)
    held = {name: getattr(real.traits, name) for name in TRAIT_COLUMNS}
    held |= {name: getattr(real, name) for name in ("start_sample", "end_sample", "loudness_db")}
    held["fingerprints"] = real.fingerprints
    assert real.sides is not None and real.textures is not None
    held |= {"seam_end_values": real.sides.ends, "seam_start_values": real.sides.starts}
    held |= {"texture_ends": real.textures.ends, "texture_starts": real.textures.starts}
    for name, column in columns(real.edge_samples).items():
        path = column_file(target, name)
        if name in _EMPTY:
            path.touch()
            os.truncate(path, copies * len(real) * column.row_bytes)
            continue
        values, rng = np.asarray(held[name]), np.random.default_rng(len(name))
        with path.open("wb") as file:
            for copy in range(copies):
                noisy = values if copy == 0 else _noisy(name, values, rng)
                file.write(np.ascontiguousarray(noisy, dtype=column.dtype).data)


def _noisy(name: str, values: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    if name.startswith("seam"):
        noise = rng.integers(-SEAM_NOISE_STEPS, SEAM_NOISE_STEPS + 1, values.shape[1], dtype=np.int16)
        # A voice of its own for each copy, and a level for each chunk.
        level = rng.integers(-SEAM_NOISE_STEPS, SEAM_NOISE_STEPS + 1, (len(values), 1), dtype=np.int16)
        noisy: npt.NDArray[Any] = values + noise + level
        # A spread is never less than none, and its logarithm is looked at.
        noisy[:, _SPREADS] = np.maximum(noisy[:, _SPREADS], 0)
        # The best lag is no level: nothing is nearer than equal.
        noisy[:, BEST_LAG] = values[:, BEST_LAG]
        return noisy
    if name.startswith("texture"):
        return values * rng.uniform(0.9, 1.1, values.shape)
    if name.endswith("chroma"):
        return np.roll(values, int(rng.integers(PITCH_CLASSES)), axis=1)
    if name in _NOISY_TRAITS:
        most, share = _NOISY_TRAITS[name]
        moved = rng.uniform(-most, most, values.shape)
        return np.where(values == 0, 0, values * (1 + moved) if share else np.maximum(values + moved, -70.0))
    return values


def _repeated(index: EmbeddingIndex, copies: int, key: str, levels: int) -> EmbeddingIndex:
    rng = np.random.default_rng(0)
    rows = np.tile(np.arange(len(index)), copies)
    repeated = index.take(rows)

    def noisy(side: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        found = np.zeros(side.shape, dtype=np.int8)
        for first in range(0, len(side), _BLOCK):
            part = side[first : first + _BLOCK, : index.width].astype(np.int16)
            part += rng.integers(-levels, levels + 1, part.shape, dtype=np.int16)
            found[first : first + _BLOCK, : index.width] = np.clip(part, -127, 127)
        found.flags.writeable = False
        return found

    return EmbeddingIndex(
        metric=index.metric,
        width=index.width,
        key=key,
        predecessors=noisy(np.asarray(repeated.predecessors)),
        predecessor_scales=repeated.predecessor_scales,
        successors=noisy(np.asarray(repeated.successors)),
        successor_scales=repeated.successor_scales,
    )


def sample_references(chunks: int, count: int) -> IntArray:
    """Return so many chunks, spread at random, the same each time."""
    rows: IntArray = np.random.default_rng(3).permutation(chunks)[:count]
    return rows
