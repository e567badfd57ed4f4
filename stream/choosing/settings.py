"""These settings say how the stream wanders through a pool, by strategy, repeats, phrases and weights."""

from dataclasses import dataclass, field
from typing import Literal

from model.base.errors import EndlosError
from stream.choosing.weighing.weights import CostWeights
from stream.doors.settings import DoorSettings

Strategy = Literal["model", "random", "natural"]


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
    """A phrase lasts at most so long, in seconds; then the song is left, or another place of it follows, or
    it goes on, in another phrase, where nothing is worth as much (`weights.straight_on`)."""
    other_songs: float = 0.34
    """Share of the phrases that end in another song, over a while."""
    whole_songs: bool = False
    """Whether songs are played whole, but for `SKIPPED_S` (`stream.choosing.phrases`) at either end; phrases
    and the share of other songs say nothing then."""
    walk: bool = False
    """Whether the stream goes chunk by chunk from bucket to bucket, along the reference songs of a model of
    scoring `buckets`, and in no phrases."""
    joins_ahead: int = 3
    """The look-ahead goes this many joins beyond the next one; 0 looks at the next one alone."""
    discount: float = 0.5
    """How much each join ahead counts of the one before it."""
    weights: CostWeights = field(default_factory=CostWeights)
    doors: DoorSettings = field(default_factory=DoorSettings)

    def __post_init__(self) -> None:
        if self.strategy not in ("model", "random", "natural"):
            raise EndlosError(f"strategy {self.strategy!r} is unknown; use model, random or natural")
        if self.walk and self.strategy != "model":
            raise EndlosError(
                f"strategy {self.strategy} walks through no buckets; leave it, or the walk, out"
            )
        if self.whole_songs and (self.walk or self.strategy != "model"):
            raise EndlosError(
                "whole songs are for strategy model without a walk; leave them, or the other, out"
            )
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
