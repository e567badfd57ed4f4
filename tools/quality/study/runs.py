"""A run is one training of the study and what is measured of it, written down so that it is done once."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from model.features.edges import DECIMATION, EDGE_RATE_HZ
from model.features.spectra import SPECTRAL_VERSION
from tools.songs.song import ANALYSIS_VERSION

RUN_VERSION = 1
"""Raised when the same run gives other figures; what was measured before is then measured anew."""
RANKED_GAPS_MS = (0.0, 50.0)
"""Missing at both ends of every chunk that is ranked: nothing, and what a crossfade removes."""

Options = tuple[tuple[str, Any], ...]
"""Names and plain values, in order of the names."""
Channels = Literal["first", "both", "mean"]
"""Which channels are learned from: the first (the report's), both as if they were two songs, their mean."""
Part = Literal["ranking", "stream", "decisions"]
"""What is measured of a trained model, beside what its training says."""


def options(**values: Any) -> Options:
    """Return names and values as a run has them."""
    return tuple(sorted(values.items()))


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """One training; equal ones are done once, whichever questions ask for them."""

    variant: str
    """What the music is made of first (`tools.quality.study.variants`)."""
    factor: float = float(DECIMATION)
    """Every so manieth sample of 44,100 Hz is kept."""
    cut: Options
    """Of `CutSettings`; lengths are those of the music, whatever the factor."""
    approach: str
    preset: str
    settings: Options
    """Of the approach; edges are in samples of the network."""
    channels: Channels = "first"
    seed: int
    learned: tuple[str, ...]
    """Audio hashes of the songs that are learned from."""
    asked: tuple[str, ...]
    """Audio hashes of the songs that the model is asked about; no artist of theirs was learned from."""
    chunks_a_song: int
    """At most so many chunks of a song, side by side, are ranked."""
    stream_s: float
    """Length of each stream that a detector listens to, where that is asked for."""

    @property
    def key(self) -> str:
        """Name of the run and of all that decides its figures; equal keys mean equal figures."""
        described = json.dumps(
            [RUN_VERSION, ANALYSIS_VERSION, SPECTRAL_VERSION, EDGE_RATE_HZ, RANKED_GAPS_MS, asdict(self)]
        )
        return hashlib.blake2b(described.encode(), digest_size=12).hexdigest()

    @property
    def speed(self) -> float:
        """How much faster the music is declared to be than it is, so that the factor comes out."""
        return self.factor / DECIMATION

    @property
    def home(self) -> str:
        """Name of the pool that it needs: its music, cut as it says."""
        digest = hashlib.blake2b(json.dumps([self.cut, self.factor]).encode(), digest_size=4)
        return f"{self.variant}-{digest.hexdigest()}"

    def plain(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return asdict(self)

    def told(self) -> str:
        """Return what sets the run apart, in a few words for a progress bar."""
        given = ", ".join(f"{name} {value}" for name, value in (*self.cut, *self.settings))
        return f"{self.approach} {self.preset}, {self.variant}, {given}, seed {self.seed}"


def run_of(plain: dict[str, Any]) -> StudyRun:
    """Return the run that `StudyRun.plain` gave, after JSON."""
    values = dict(plain)
    for name in ("cut", "settings"):
        values[name] = tuple((key, value) for key, value in values[name])
    for name in ("learned", "asked"):
        values[name] = tuple(values[name])
    return StudyRun(**{field.name: values[field.name] for field in fields(StudyRun)})


@dataclass(frozen=True, kw_only=True)
class WantedRun:
    """A run, and what of it is wanted."""

    run: StudyRun
    parts: frozenset[Part]


def merged(wanted: list[WantedRun]) -> list[WantedRun]:
    """Return each run once, with all that is wanted of it, those of one pool side by side."""
    parts: dict[StudyRun, frozenset[Part]] = {}
    for one in wanted:
        parts[one.run] = parts.get(one.run, frozenset()) | one.parts
    found = [WantedRun(run=run, parts=asked) for run, asked in parts.items()]
    return sorted(found, key=lambda one: (one.run.home, one.run.asked))
