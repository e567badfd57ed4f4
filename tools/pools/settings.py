"""The settings of a build say how songs are cut and what is kept of them."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from model.base.errors import PoolError
from model.features.edges import EDGE_RATE_HZ
from tools.library.selection import MusicSelection
from tools.songs.cut import CutSettings
from tools.songs.song import AnalysisSettings
from tools.work.workers import usable_cores

MAX_EDGE_S = 60.0
MIN_CHUNK_S = 0.05
"""The floor under the floor: what is shorter is no chunk, and too short for its fingerprint."""


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """How a pool is built."""

    cut: CutSettings = field(default_factory=CutSettings)
    edge_s: float = 2.0
    """Length of the edges that are kept; no model with longer ones fits the pool."""
    jobs: int = field(default_factory=usable_cores)
    """Processes that analyse; 1: this one."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers analyse in their place."""
    decoded_cache_gib: float = 8.0
    """Room for decoded copies of songs that cannot be sought in; the rest are decoded whole to be played."""
    model: Path | None = None
    """Folder of a model whose embeddings are made, if it has any, so that playing with it begins at once."""
    selection: MusicSelection = field(default_factory=MusicSelection)
    """What of the music is taken."""
    remove: bool = False
    """Whether music that is missing from a named folder leaves the pool, however much of it that is."""
    again: bool = False
    """Whether every song is analysed anew, whatever is known of it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.edge_s) and 2 / EDGE_RATE_HZ <= self.edge_s <= MAX_EDGE_S):
            raise PoolError(
                f"edges of {self.edge_s:g} s make no sense; give a length above 0 and up to {MAX_EDGE_S:g} s"
            )
        shortest_s = min(self.cut.min_chunk_s, self.cut.chunk_s)
        if shortest_s < MIN_CHUNK_S:
            raise PoolError(
                f"chunks of {shortest_s:g} s are too short to be one; give at least {MIN_CHUNK_S:g} s"
            )
        if not self.jobs >= 1:
            raise PoolError(f"{self.jobs} jobs build nothing; give 1 or more")
        if not (math.isfinite(self.decoded_cache_gib) and self.decoded_cache_gib >= 0):
            raise PoolError(f"a cache of {self.decoded_cache_gib:g} GiB makes no sense; give 0 or more")

    @property
    def edge_samples(self) -> int:
        """Length of the edges, in samples at `EDGE_RATE_HZ`."""
        return round(self.edge_s * EDGE_RATE_HZ)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `endlos pool build` that choose, cut and keep alike."""
        told = {**asdict(self.cut), "edge_s": self.edge_s, "decoded_cache_gib": self.decoded_cache_gib}
        return (
            *(f"--{name.replace('_', '-')}={value}" for name, value in told.items() if value is not None),
            *self.selection.options,
        )

    @property
    def analysis(self) -> AnalysisSettings:
        """What of these settings decides the result of an analysis."""
        return AnalysisSettings(cut=self.cut, edge_samples=self.edge_samples)
