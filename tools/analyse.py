"""Everything a pool keeps of one song, measured in one pass over its audio."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.errors import DecodeError, PoolError
from model.features import EDGE_RATE_HZ, chunk_edges
from model.kernels import FloatArray, IntArray
from model.spectral import SPECTRAL_VERSION, chunk_spectra
from stream.columns import Rows, record_type
from stream.decode import decode, probe, seeks_check_out
from stream.maps import give_back
from stream.pool import decoded_copy, fingerprint
from stream.spans import write_decoded_copy
from stream.traits import TRAIT_COLUMNS
from tools.cut import CutSettings, cut_song
from tools.cut_beat import cut_on_beats
from tools.loudness import SILENCE_DB, SILENCE_LUFS, Loudness, measure_loudness, rms_db
from tools.rhythm import Rhythm, find_rhythm
from tools.tags import Tags, read_tags
from tools.traits import measure_traits
from tools.workers import Room

ANALYSIS_VERSION = 3
"""Raised when the same song and settings give another result; pools are then analysed anew."""

HASH_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """What decides the result of an analysis."""

    cut: CutSettings
    edge_samples: int
    """Length of the edges that are kept, in samples at `EDGE_RATE_HZ`."""

    @property
    def key(self) -> str:
        """A short name for the settings and the version of the analysis; equal keys mean equal results."""
        described = json.dumps(
            [ANALYSIS_VERSION, SPECTRAL_VERSION, EDGE_RATE_HZ, asdict(self)], sort_keys=True
        )
        return hashlib.blake2b(described.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class SongAnalysis:
    """One analysed song; `n` chunks, none when it is silent or too short (`cut` says which).

    rows: `(n,)` records, of `stream.columns.record_type`.
    """

    audio_hash: str
    size_bytes: int
    mtime_ns: int
    sample_rate_hz: int
    channels: int
    frames: int
    tags: Tags
    loudness: Loudness
    seekable: bool
    cut: str
    rows: Rows

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.rows)


def analyse_song(path: Path, settings: AnalysisSettings, pool_folder: Path, room: Room) -> SongAnalysis:
    """Decode, measure, cut and fingerprint one song.

    The samples of a long song are kept in a nameless file in `pool_folder` meanwhile, and looked at in parts.
    A song whose seeks do not check out gets a decoded copy in `pool_folder`, where `room` allows its size and
    the disk takes it. `DecodeError` when the file cannot be read or changes meanwhile.
    """
    try:
        before = path.stat()
        audio_hash = hash_file(path)
    except OSError as error:
        raise DecodeError(f"{path} cannot be read: {error.strerror}") from error
    audio, sample_rate_hz = decode(path, scratch=pool_folder)
    channels = probe(path).channels
    try:
        after = path.stat()
    except OSError as error:
        raise DecodeError(f"{path} went away while it was read: {error.strerror}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise DecodeError(f"{path} changed while it was read; build again once it is whole")
    rhythm = find_rhythm(audio, sample_rate_hz, scratch=pool_folder)
    if settings.cut.cut == "beat":
        result = cut_on_beats(audio, sample_rate_hz, settings.cut, rhythm)
    else:
        result = cut_song(audio, sample_rate_hz, settings.cut)
    loudness, seekable = Loudness(loudness_lufs=SILENCE_LUFS, true_peak_db=SILENCE_DB), True
    if len(result.bounds):
        loudness = measure_loudness(audio, sample_rate_hz)
        seekable = seeks_check_out(path, audio, seed=int(audio_hash[:8], 16))
        if not seekable:
            _keep_copy(audio, pool_folder, audio_hash, room)
    return SongAnalysis(
        audio_hash=audio_hash,
        size_bytes=before.st_size,
        mtime_ns=before.st_mtime_ns,
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        frames=len(audio),
        tags=read_tags(path),
        loudness=loudness,
        seekable=seekable,
        cut=result.note,
        rows=_rows(audio, sample_rate_hz, result.bounds, rhythm, settings.edge_samples),
    )


def copy_song(path: Path, pool_folder: Path, audio_hash: str, room: Room) -> None:
    """Write the decoded copy of a song that was analysed before; errors as in `analyse_song`."""
    audio, _ = decode(path, scratch=pool_folder)
    _keep_copy(audio, pool_folder, audio_hash, room)


def hash_file(path: Path) -> str:
    """Return the BLAKE2b hash of a file's bytes, 40 hexadecimal digits; `OSError` if it cannot be read."""
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def copy_bytes(frames: int) -> int:
    """Return the size of a decoded copy's samples."""
    return frames * 2 * np.dtype(np.float32).itemsize


def _keep_copy(audio: FloatArray, pool_folder: Path, audio_hash: str, room: Room) -> None:
    target = decoded_copy(pool_folder, audio_hash)
    if not target.is_file() and room(audio_hash, copy_bytes(len(audio))):
        # Songs play without their copies, only slower to start; the build counts those that lack theirs.
        with suppress(PoolError):
            write_decoded_copy(audio, target)


def _rows(
    audio: FloatArray, sample_rate_hz: int, bounds: IntArray, rhythm: Rhythm, edge_samples: int
) -> Rows:
    rows = np.zeros(max(0, len(bounds) - 1), dtype=record_type(edge_samples))
    if not len(rows):
        return rows
    rows["start_sample"], rows["end_sample"] = bounds[:-1], bounds[1:]
    for row, (start, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        chunk = audio[start:stop]
        rows["loudness_db"][row] = rms_db(chunk)
        rows["fingerprints"][row] = fingerprint(chunk)
        rows["heads"][row], rows["tails"][row] = chunk_edges(chunk, sample_rate_hz, edge_samples)
        rows["spectra"][row] = chunk_spectra(chunk, sample_rate_hz)
        give_back(audio)
    traits = measure_traits(audio, sample_rate_hz, bounds, rhythm)
    for name in TRAIT_COLUMNS:
        rows[name] = getattr(traits, name)
    return rows
