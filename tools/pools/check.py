"""The check says whether a pool's database, arrays and song files still are what was built."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import DecodeError, PoolError
from model.features.edges import chunk_edges
from model.features.seam import seam_sides
from model.features.spectra import chunk_spectra
from model.features.texture import textures
from stream.audio.copies import DecodedCopy
from stream.audio.decode import decode
from stream.audio.samples import PART_FRAMES
from stream.pool.columns import FINGERPRINT_FRAMES
from stream.pool.database import broken_database, connect, reading_database
from stream.pool.feedback import feedback_problems
from stream.pool.pool import Pool, decoded_copy, open_pool
from stream.pool.songs import Song
from stream.pool.soundness import database_problems
from stream.pool.timeline import read_timeline
from tools.pools.check_vectors import embedding_problems
from tools.pools.doubt import doubt
from tools.songs.loudness import measure_loudness
from tools.songs.song import FileState, hash_file

SAMPLED_SONGS = 8
"""This many songs, evenly spread, are decoded and compared; a deep check takes all."""
_SAMPLED_CHUNKS = 8
"""This many chunks of such a song have their edges computed again."""
_TOLERANCE = 1e-3
"""Versions of a decoder differ in the last bits."""
TOLERANCE_DB = 1.0
"""The same for spectra, which are kept in half precision; close to silence little makes a large ratio."""
TOLERANCE_STEPS = 1
"""The same for what is kept in whole steps (`model.features.seam.SEAM_STEPS_PER_DB`)."""
BLOCK_CHUNKS = 256


def check_pool(folder: Path, *, deep: bool = False) -> list[str]:
    """Check the pool in `folder` and return its problems, one sentence each.

    Always: the database, the arrays, how chunks tile their songs, that every file is there with its size and
    time; audio, fingerprints and edges of a sample of songs. `deep`: the hash of every file, and all songs.
    What has a problem is marked, so that the next build reads or analyses it anew. `PoolError` when there is
    no pool, or it cannot be opened at all.
    """
    problems = _database_problems(folder)
    if problems:
        return problems
    problems += feedback_problems(folder)
    try:
        pool = open_pool(folder)
    except PoolError as error:
        return [*problems, str(error)]
    files = _files(pool)
    changed: set[int] = set()
    for index, song in enumerate(pool.songs):
        found = list(_file_problems(song, files[song.song_id], deep=deep))
        if found:
            changed.add(index)
        problems += found
    doubted: set[int] = set()
    for name, rows in _impossible_values(pool).items():
        songs = sorted(set(pool.chunk_song[rows].tolist()))
        doubted.update(songs)
        problems.append(
            f"{name}.bin holds values of {_named(pool, songs)} that cannot be; run `endlos pool build` again"
        )
    for index in range(len(pool.songs)):
        try:
            read_timeline(pool, index)
        except PoolError as error:
            doubted.add(index)
            problems.append(str(error))
    problems += embedding_problems(pool, deep=deep)
    count = len(pool.songs) if deep else min(SAMPLED_SONGS, len(pool.songs))
    for index in np.unique(np.linspace(0, len(pool.songs) - 1, count).astype(int)).tolist():
        found = list(_copy_problems(pool, index))
        if index not in changed:
            found += _audio_problems(pool, index, deep=deep)
        if found:
            doubted.add(index)
        problems += found
    doubt(
        folder,
        analyses=[pool.songs[index].song_id for index in doubted],
        files=[pool.songs[index].song_id for index in changed],
    )
    return problems


def _database_problems(folder: Path) -> list[str]:
    with closing(connect(folder)) as connection:
        return [str(broken_database(folder, problem)) for problem in database_problems(connection)]


def _files(pool: Pool) -> dict[int, FileState]:
    with reading_database(pool.folder) as connection:
        rows = connection.execute("SELECT song_id, file_hash, size_bytes, mtime_ns, ctime_ns FROM songs")
        return {
            row[0]: FileState(file_hash=row[1], size_bytes=row[2], mtime_ns=row[3], ctime_ns=row[4])
            for row in rows
        }


def _file_problems(song: Song, file: FileState, *, deep: bool) -> Iterator[str]:
    try:
        status = song.path.stat()
        kept = (file.size_bytes, file.mtime_ns, file.ctime_ns)
        in_doubt = kept != (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        # What a kept song of an earlier endlos is known by is the hash of its file.
        if (in_doubt or deep) and hash_file(song.path) != (file.file_hash or song.audio_hash):
            yield f"{song.path} has changed since the pool was built; run `endlos pool build` again"
    except OSError as error:
        yield f"{song.path} cannot be read ({error.strerror}); put it back, or run `endlos pool build` again"


def _impossible_values(pool: Pool) -> dict[str, IntArray]:
    """Return by column the chunks whose values nothing that is measured can have."""
    # Written so that no comparison with NaN passes.
    tests: dict[str, Callable[[FloatArray], BoolArray]] = {
        "heads": lambda values: np.abs(values) <= 1.0,
        "tails": lambda values: np.abs(values) <= 1.0,
        "spectra": np.isfinite,
        "fingerprints": np.isfinite,
        "loudness_db": np.isfinite,
    }
    found: dict[str, IntArray] = {}
    for name, possible in tests.items():
        column = getattr(pool, name)
        wrong = [
            start + np.flatnonzero(~possible(block).reshape(len(block), -1).all(axis=1))
            for start in range(0, len(pool) if column is not None else 0, BLOCK_CHUNKS)
            for block in (column[start : start + BLOCK_CHUNKS],)
        ]
        if any(map(len, wrong)):
            found[name] = np.concatenate(wrong)
    return found


def _named(pool: Pool, songs: Sequence[int]) -> str:
    """Return which songs are meant, in words."""
    further = len(songs) - 1
    return pool.songs[songs[0]].name + (f" and {further} more" if further else "")


def _copy_problems(pool: Pool, index: int) -> Iterator[str]:
    """Read all of a song's decoded copy, and compare it with what its check sums and fingerprints say."""
    song = pool.songs[index]
    path = decoded_copy(pool.folder, song.audio_hash)
    # A copy may be missing: its room is bounded, and the song is then decoded whole to be played.
    if song.seekable or not path.exists():
        return
    try:
        copy = DecodedCopy(path, song.frames)
        try:
            for start in range(0, song.frames, PART_FRAMES):
                copy.read(start, min(song.frames, start + PART_FRAMES))
            differing = _differing(pool, index, copy.read)
        finally:
            copy.close()
    except DecodeError as error:
        yield str(error)
        return
    if differing:
        yield f"{path} is not the decoded {song.name}; run `endlos pool build` again"


def _audio_problems(pool: Pool, index: int, *, deep: bool) -> Iterator[str]:
    song = pool.songs[index]
    try:
        audio, sample_rate_hz = decode(song.path)
    except DecodeError as error:
        yield str(error)
        return
    if (len(audio), sample_rate_hz) != (song.frames, song.sample_rate_hz):
        yield (
            f"{song.path} decodes to {len(audio)} frames at {sample_rate_hz} Hz, "
            f"expected {song.frames} at {song.sample_rate_hz} Hz; run `endlos pool build` again"
        )
        return
    differing = _differing(pool, index, lambda start, stop: audio[start:stop])
    if differing:
        yield (
            f"{song.path} sounds different from what the pool was built from in {differing} chunks; "
            "run `endlos pool build` again"
        )
        return
    measured = measure_loudness(audio, sample_rate_hz)
    if (
        abs(measured.loudness_lufs - song.loudness_lufs) > TOLERANCE_DB
        or abs(measured.true_peak_db - song.true_peak_db) > TOLERANCE_DB
    ):
        yield (
            f"the loudness and peak kept of {song.name} ({song.loudness_lufs:.1f} LUFS, "
            f"{song.true_peak_db:.1f} dB) are not its own ({measured.loudness_lufs:.1f} LUFS, "
            f"{measured.true_peak_db:.1f} dB); run `endlos pool build` again"
        )
    rows = _rows(pool, index)
    for row in rows if deep else rows[:: -(-len(rows) // _SAMPLED_CHUNKS)]:
        chunk = audio[pool.start_sample[row] : pool.end_sample[row]]
        head, tail = chunk_edges(chunk, sample_rate_hz, pool.edge_samples)
        same = np.allclose(head, pool.heads[row], rtol=0, atol=_TOLERANCE)
        if not (same and np.allclose(tail, pool.tails[row], rtol=0, atol=_TOLERANCE)):
            yield f"the edges of chunk {row} are not those of {song.name}; run `endlos pool build` again"
            return
        if pool.spectra is None:
            continue
        spectra = np.stack(chunk_spectra(chunk, sample_rate_hz))
        if not np.allclose(spectra, pool.spectra[row], rtol=0, atol=TOLERANCE_DB):
            yield (f"the spectra of chunk {row} are not those of {song.name}; run `endlos pool build` again")
            return
    if not _compares(pool, rows):
        yield f"the seams and textures kept of {song.name} are not its own; run `endlos pool build` again"


def _rows(pool: Pool, index: int) -> IntArray:
    return np.arange(*pool.song_rows(index).indices(len(pool)))


def _compares(pool: Pool, rows: IntArray) -> bool:
    """Whether what is compared of the chunks of a song is what their spectra give."""
    if pool.spectra is None or pool.sides is None or pool.textures is None:
        return True
    spectra = pool.spectra[rows[0] : rows[-1] + 1]
    rate_hz = pool.songs[int(pool.chunk_song[rows[0]])].sample_rate_hz
    sides = seam_sides(spectra, np.stack([pool.start_sample[rows], pool.end_sample[rows]], axis=1) / rate_hz)
    made, kept = textures(spectra), pool.textures.take(rows)
    return (
        np.allclose(sides.ends, pool.sides.ends[rows], rtol=0, atol=TOLERANCE_STEPS)
        and np.allclose(sides.starts, pool.sides.starts[rows], rtol=0, atol=TOLERANCE_STEPS)
        and np.allclose(made.ends, kept.ends, rtol=0, atol=_TOLERANCE)
        and np.allclose(made.starts, kept.starts, rtol=0, atol=_TOLERANCE)
    )


def _differing(pool: Pool, index: int, read: Callable[[int, int], FloatArray]) -> int:
    """Return how many chunks of a song have other first and last frames than what `read` gives of it."""
    rows = _rows(pool, index)
    bounds = zip(pool.start_sample[rows].tolist(), pool.end_sample[rows].tolist(), strict=True)
    return sum(
        not np.allclose(
            np.stack([read(start, start + FINGERPRINT_FRAMES), read(end - FINGERPRINT_FRAMES, end)]),
            pool.fingerprints[row],
            rtol=0,
            atol=_TOLERANCE,
        )
        for row, (start, end) in zip(rows, bounds, strict=True)
    )
