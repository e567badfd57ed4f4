"""A song is what a pool keeps of it, and what decides that, while others analyse."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from model.base.errors import PoolError
from model.features.edges import EDGE_RATE_HZ
from model.features.spectra import SPECTRAL_VERSION
from stream.pool.columns import Rows
from stream.pool.timeline import SongTimeline
from tools.songs.cut import CutSettings
from tools.songs.outline import Outline
from tools.songs.tags import Tags

ANALYSIS_VERSION = 8
"""Raised when the same song and settings give another result; pools are then analysed anew."""

HASH_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """What decides the result of an analysis."""

    cut: CutSettings
    edge_samples: int
    """Length of the edges that are kept, in samples at `EDGE_RATE_HZ`."""

    def __post_init__(self) -> None:
        if not self.edge_samples >= 2:
            raise PoolError(f"edges of {self.edge_samples} samples make no sense; give 2 or more")

    @property
    def key(self) -> str:
        """A short name for the settings and the version of the analysis; equal keys mean equal results."""
        described = json.dumps(
            [ANALYSIS_VERSION, SPECTRAL_VERSION, EDGE_RATE_HZ, asdict(self)], sort_keys=True
        )
        return hashlib.blake2b(described.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, kw_only=True)
class FileState:
    """A file as it was when it was read."""

    file_hash: str
    """Of its bytes."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """Loudness of a whole song."""

    loudness_lufs: float
    true_peak_db: float
    """dBTP: above 0 where the waveform between the samples leaves the range."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SongAnalysis:
    """One analysed song; `n` chunks, none when it is silent or too short (`cut` says which).

    rows: `(n,)` records, of `stream.pool.columns.record_type`.
    """

    file: FileState
    audio_hash: str
    """Of its coded audio: what the song is known by."""
    sample_rate_hz: int
    channels: int
    frames: int
    outline: Outline
    timeline: SongTimeline
    tags: Tags
    loudness: Loudness
    seekable: bool
    cut: str
    rows: Rows
    left_out: tuple[str, ...] = ()
    """What of the file is not in the song, in words."""

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.rows)


def hash_file(path: Path) -> str:
    """Return the BLAKE2b hash of a file's bytes, 40 hexadecimal digits; `OSError` if it cannot be read."""
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
