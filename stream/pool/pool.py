"""A pool gives the runtime its songs, and the columns of all chunks of one generation.

`pool.db` names the current generation and its songs, and where their columns stand; all generations share
those, and what is written of them stays. `tools.pools.build` writes both. A reader sees one generation whole,
whatever is built meanwhile.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray, RowArray
from model.base.errors import PoolError
from model.base.stored_rows import AnyRows
from model.features.edges import EDGE_RATE_HZ
from model.features.seam import SeamSides
from model.features.texture import Textures
from stream.pool.columns import FINGERPRINT_FRAMES as FINGERPRINT_FRAMES
from stream.pool.columns import StoredColumns, column_file, column_folder
from stream.pool.database import reading_database
from stream.pool.song_list import read_songs
from stream.pool.song_table import SongTable
from stream.pool.traits import TRAIT_COLUMNS, ChunkTraits


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkKey:
    """What names a chunk in every generation, unlike its row."""

    audio_hash: str
    start_sample: int
    end_sample: int


_LEAST_GAP_S = 1.0
"""A shorter gap between two chunks is no silence that was left out, but damage."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A file of the music folder that is not in the pool, or not all of it."""

    path: Path
    kind: str
    """`failed`, `skipped` (silent, too short), or `partly` in the pool."""
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """One generation of a pool. Rows of all arrays are chunks, in song order; they tile what sounds of it.

    chunk_song: `(N,)` int32, index into `songs`.
    start_sample, end_sample: `(N,)` int64, half-open, in the song's own sample rate.
    loudness_db: `(N,)` float32, RMS level in dBFS.
    fingerprints: `(N, 2, FINGERPRINT_FRAMES, 2)` float32, first and last frames of each chunk.
    heads, tails: `(N, 2, edge_samples)` float16 at `EDGE_RATE_HZ`.
    spectra: `(N, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)` float16 of each chunk's head and tail
    (`model.features.spectra`); None in a pool that was made in memory, without.
    sides, textures: what seams are compared by; None as well.
    Those, and fingerprints, are arrays, or where there is much `StoredRows`, as edges and spectra always are.
    traits: what is known of the music at both ends of each chunk.
    """

    folder: Path
    generation: int
    complete: bool
    songs: SongTable
    chunk_song: RowArray
    start_sample: IntArray
    end_sample: IntArray
    loudness_db: FloatArray
    fingerprints: AnyRows
    heads: AnyRows
    tails: AnyRows
    traits: ChunkTraits
    spectra: AnyRows | None = None
    sides: SeamSides | None = None
    textures: Textures | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.songs, SongTable):
            object.__setattr__(self, "songs", SongTable(self.songs))

    def __len__(self) -> int:
        return len(self.chunk_song)

    @property
    def audio_hashes(self) -> list[str]:
        """The audio hash of each song, in the order of `songs`."""
        return list(self.songs.texts("audio_hash"))

    def song_of(self, audio_hash: str) -> int | None:
        """Return the index of the song with this hash, or of one that is the same recording; else None.

        What an earlier endlos wrote named a song by the bytes of its file: that finds it too.
        """
        return self.songs.number_of(audio_hash)

    def song_rows(self, song: int) -> slice:
        """Return the rows of a song's chunks."""
        # Of the same type: else all of the array is brought to another one first.
        wanted = np.array([song, song + 1], dtype=self.chunk_song.dtype)
        first, end = np.searchsorted(self.chunk_song, wanted)
        return slice(int(first), int(end))

    @property
    def edge_samples(self) -> int:
        """Longest edge that the pool keeps, in samples at `EDGE_RATE_HZ`."""
        return int(self.heads.shape[2])

    @property
    def edge_s(self) -> float:
        """Longest edge that the pool keeps, in seconds."""
        return self.edge_samples / EDGE_RATE_HZ

    def runs(self) -> IntArray:
        """Return `(N,)` int64, rising: chunks of one number follow each other in a song without a gap.

        A song is one run, unless a long silence in it belongs to no chunk.
        """
        begins = np.ones(len(self), dtype=np.bool_)
        begins[1:] = (self.chunk_song[1:] != self.chunk_song[:-1]) | (
            self.start_sample[1:] != self.end_sample[:-1]
        )
        return np.cumsum(begins, dtype=np.int64) - 1

    def successors(self) -> RowArray:
        """Return `(N,)` int32: the row that follows each chunk without a gap, -1 after a run's last."""
        following = np.arange(1, len(self) + 1, dtype=np.int32)
        run = self.runs()
        following[np.append(run[1:] != run[:-1], True)] = -1
        return following

    def chunk_keys(self) -> list[ChunkKey]:
        """Return the key of every row."""
        hashes = self.audio_hashes
        return [
            ChunkKey(audio_hash=hashes[song], start_sample=start, end_sample=end)
            for song, start, end in zip(
                self.chunk_song.tolist(), self.start_sample.tolist(), self.end_sample.tolist(), strict=True
            )
        ]

    def start_s(self) -> DoubleArray:
        """Return `(N,)` float64: where each chunk starts in its song, in seconds."""
        return self.start_sample / self._rates_hz()

    def end_s(self) -> DoubleArray:
        """Return `(N,)` float64: where each chunk ends in its song, in seconds."""
        return self.end_sample / self._rates_hz()

    def start_of_s(self, row: int) -> float:
        """Return where one chunk starts in its song, in seconds."""
        return float(self.start_sample[row] / self._song_rates_hz[self.chunk_song[row]])

    def end_of_s(self, row: int) -> float:
        """Return where one chunk ends in its song, in seconds."""
        return float(self.end_sample[row] / self._song_rates_hz[self.chunk_song[row]])

    def _rates_hz(self) -> IntArray:
        return self._song_rates_hz[self.chunk_song]

    @property
    def _song_rates_hz(self) -> IntArray:
        return self.songs.numbers("sample_rate_hz")


def fingerprint(chunk: FloatArray) -> FloatArray:
    """Return the first and last frames of a chunk, `(2, FINGERPRINT_FRAMES, 2)` float32.

    chunk: `(frames, 2)` at the song's own rate, as decoded, at least `FINGERPRINT_FRAMES` long.
    """
    return np.stack([chunk[:FINGERPRINT_FRAMES], chunk[-FINGERPRINT_FRAMES:]]).astype(np.float32)


def generation_folder(folder: Path, generation: int) -> Path:
    """Return where what is made of a generation stands, such as embeddings."""
    return folder / "generations" / f"{generation:06d}"


def decoded_copy(folder: Path, audio_hash: str) -> Path:
    """Return where the lossless decoded copy of a song stands: `(frames, 2)` float32 `.npy`."""
    return folder / "decoded" / f"{audio_hash}.npy"


def current_generation(folder: Path) -> int | None:
    """Return the number of the current generation, or None when nothing has been published yet."""
    with reading_database(folder) as connection:
        return _current(connection)


def open_pool(folder: Path) -> Pool:
    """Open the current generation; `PoolError` when there is none or it is broken."""
    opened = current_generation(folder)
    try:
        return _open_current(folder)
    except PoolError:
        # Builds that publish quickly may have tidied this generation away while it was being opened.
        if current_generation(folder) == opened:
            raise
        return _open_current(folder)


def _open_current(folder: Path) -> Pool:
    with reading_database(folder) as connection:
        # One read transaction: the generation and its songs belong together.
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        generation = _current(connection)
        if generation is None:
            raise PoolError(f"{folder} holds no chunks yet; run `endlos pool build MUSIC --out {folder}`")
        published = connection.execute(
            "SELECT complete, edge_samples, columns, stored_chunks FROM generations WHERE generation = ?",
            (generation,),
        ).fetchone()
        if published is None:
            raise sqlite3.DatabaseError(f"generation {generation} is current and not listed")
        if type(published["edge_samples"]) is not int or not 2 <= published["edge_samples"] <= 2**24:
            raise sqlite3.DatabaseError(f"generation {generation} has edges of no length")
        if not all(type(published[name]) is int for name in ("columns", "stored_chunks")):
            raise sqlite3.DatabaseError(f"generation {generation} has columns nowhere")
        listed = read_songs(connection, folder, generation)
    if not published["columns"]:
        raise PoolError(
            f"{folder} was built by an earlier endlos; "
            "run `endlos pool build` again, which takes over what it holds"
        )
    if not listed.counts.sum():
        raise PoolError(f"{folder} holds no chunks; build it from music that has some sound in it")
    home = column_folder(folder, published["columns"])
    stored = StoredColumns(
        folder=home, chunks=published["stored_chunks"], edge_samples=published["edge_samples"]
    )
    arrays = stored.read(stored.rows_of(listed.first_rows, listed.counts))
    traits = ChunkTraits(**{name: arrays.pop(name) for name in TRAIT_COLUMNS})
    sides = SeamSides(ends=arrays.pop("seam_end_values"), starts=arrays.pop("seam_start_values"))
    textures = Textures(ends=arrays.pop("texture_ends"), starts=arrays.pop("texture_starts"))
    damaged = traits.outside()
    if damaged:
        raise PoolError(
            f"{column_file(home, next(iter(damaged)))} holds what it cannot; run `endlos pool build` again"
        )
    chunk_song = np.repeat(np.arange(len(listed.songs), dtype=np.int32), listed.counts)
    _check_tiles(home, listed.songs, chunk_song, arrays["start_sample"], arrays["end_sample"])
    return Pool(
        folder=folder,
        generation=generation,
        complete=bool(published["complete"]),
        songs=listed.songs,
        chunk_song=chunk_song,
        traits=traits.compact(),
        sides=sides,
        textures=textures,
        **arrays,
    )


def failures(folder: Path) -> tuple[Failure, ...]:
    """Return the files that were found and are not, or not wholly, in the pool, each with its reason."""
    with reading_database(folder) as connection:
        return tuple(
            Failure(path=Path(str(root)) / str(path), kind=str(kind), reason=str(reason))
            for root, path, kind, reason in connection.execute(
                "SELECT root, path, kind, reason FROM failures ORDER BY root, path"
            )
        )


def untiled(
    frames: IntArray, rates_hz: IntArray, chunk_song: IntArray, start: IntArray, end: IntArray
) -> BoolArray:
    """Return `(N,)`: the chunks that do not tile what sounds of their songs, in order.

    frames, rates_hz: `(N,)` int64 of each chunk's song. The others as in `Pool`.
    """
    wrong: BoolArray = (start < 0) | (end > frames) | (end - start < FINGERPRINT_FRAMES)
    # A long silence may lie between two, and belong to neither.
    gap = start[1:] - end[:-1]
    wrong[1:] |= (chunk_song[1:] == chunk_song[:-1]) & (gap != 0) & (gap < _LEAST_GAP_S * rates_hz[1:])
    return wrong


def _current(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation'").fetchone()
    return None if row is None else int(row[0])


def _check_tiles(home: Path, songs: SongTable, chunk_song: IntArray, start: IntArray, end: IntArray) -> None:
    frames, rates_hz = (songs.numbers(name)[chunk_song] for name in ("frames", "sample_rate_hz"))
    wrong = untiled(frames, rates_hz, chunk_song, start, end)
    if wrong.any():
        song = songs[int(chunk_song[int(np.argmax(wrong))])]
        raise PoolError(
            f"the chunks of {song.name} overlap or leave gaps, as {column_file(home, 'start_sample')} or "
            f"{column_file(home, 'end_sample').name} has them; run `endlos pool build` again"
        )
