"""These settings say how the stream wanders through a pool, by strategy, repeats, phrases and weights."""

import math
from collections import namedtuple
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal, cast

import numpy as np

from model.base.errors import EndlosError

Strategy = Literal["model", "random", "natural"]


@dataclass(frozen=True, kw_only=True)
class CostWeights:
    """How much each thing counts, in log-odds; all at least 0, and 0 leaves it out.

    Rhythm and tone outweigh the rest because detectors hear them first where two songs meet; what these hear
    of level, chroma and likeness to the real neighbours is little (docs/joins.md).
    """

    tempo: float = 0.8
    """For each percent of difference beyond `tempo_free_percent`."""
    tempo_free_percent: float = 1.5
    tempo_most: float = 8.0
    octave: float = 0.5
    """For half or double the tempo."""
    beatless: float = 1.0
    """For a beat that begins or ends with the join."""
    bar: float = 1.2
    """For another place in the bar, by a beat or more."""
    key: float = 0.3
    """For each step on the circle of fifths beyond the first."""
    chroma: float = 1.5
    """For pitch classes that have nothing in common."""
    level: float = 0.1
    """For each LU between the start and what really follows, beyond the first; half of it for each dB between
    the two chunks as a whole, and by which A ends quieter than it is, beyond `level_free_db`."""
    level_free_db: float = 3.0
    level_most: float = 5.0
    voice: float = 1.5
    """For a voice that is cut, at either side."""
    next: float = 1.0
    """For a start whose embedding has nothing in common with what really follows."""
    before: float = 0.5
    """For an end whose embedding has nothing in common with what really precedes."""
    next_bands: float = 0.03
    """For each dB of difference, over the bands, between the start and what really follows."""
    before_bands: float = 0.02
    """For each dB of difference, over the bands, between the end and what really precedes."""
    bands_most: float = 3.0
    rhythm: float = 5.5
    """For a rhythm that has nothing in common with the one before; twice that for its opposite."""
    tone: float = 0.25
    """For each dB of difference, over the bands of `model.features.texture`, between end and start."""
    hub: float = 0.5
    """For each log-odd by which a chunk is liked by all more than others are (`stream.scoring.hubs`)."""
    liked: float = 2.0
    """For a join that the listener liked."""
    coverage: float = 1.0
    """For each factor e by which a phrase was played more often than the mean."""
    coverage_most: float = 3.0
    due: float = 2.0
    """For each time that a phrase was played less often than the mean, but for the first; without bound."""

    @cached_property
    def in_kernels(self) -> "CostWeights":
        """The same weights as kernels take them, float32."""
        values = [np.float32(getattr(self, weight.name)) for weight in fields(self)]
        return cast(CostWeights, _KernelWeights(*values))

    def __post_init__(self) -> None:
        for weight in fields(self):
            value = getattr(self, weight.name)
            if not (math.isfinite(value) and value >= 0):
                raise EndlosError(f"the weight {weight.name} is {value:g}; give a number of 0 or more")


# What a kernel takes: it finds each weight by its name, as Python does.
_KernelWeights = namedtuple("_KernelWeights", [weight.name for weight in fields(CostWeights)])  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class PlannerSettings:
    """How the stream wanders through the pool."""

    strategy: Strategy = "model"
    seed: int = 0
    top_k: int = 8
    """The draw is among this many best joins; 1 always takes the best, as the report does."""
    temperature: float = 0.3
    """Spread of the draw, in log-odds."""
    no_repeat_share: float = 0.25
    """A chunk does not come back before this share of the pool has been played."""
    min_phrase_bars: int = 8
    """A song goes on for at least so many bars before the stream may leave, where its beat is known."""
    min_phrase_s: float = 6.0
    """The same where it is not, in seconds."""
    max_phrase_s: float = 40.0
    """A song goes on naturally for at most this long, in seconds."""
    other_songs: float = 0.34
    """Share of the joins that lead to another song, over a while."""
    joins_ahead: int = 3
    """The look-ahead goes this many joins beyond the next one; 0 looks at the next one alone."""
    discount: float = 0.5
    """How much each join ahead counts of the one before it."""
    weights: CostWeights = field(default_factory=CostWeights)

    def __post_init__(self) -> None:
        if self.strategy not in ("model", "random", "natural"):
            raise EndlosError(f"strategy {self.strategy!r} is unknown; use model, random or natural")
        if not self.seed >= 0:
            raise EndlosError(f"the seed is {self.seed}; give 0 or more")
        least = (self.min_phrase_s, self.min_phrase_bars, self.joins_ahead)
        if not self.top_k >= 1 or not all(value >= 0 for value in least):
            raise EndlosError(
                "top_k must be at least 1; min_phrase_s, min_phrase_bars and joins_ahead at least 0"
            )
        if not self.temperature > 0 or not 0 <= self.no_repeat_share < 1:
            raise EndlosError("temperature must be above 0 and no_repeat_share from 0 to below 1")
        if not self.max_phrase_s >= self.min_phrase_s:
            raise EndlosError("max_phrase_s must be at least min_phrase_s")
        if not 0 <= self.other_songs <= 1 or not 0 <= self.discount <= 1:
            raise EndlosError("other_songs and discount must be from 0 to 1")
