"""A verdict is a detector's AUC for one condition, against places matched in song."""

from dataclasses import dataclass

from model.base.arrays import BoolArray, DoubleArray
from tools.quality.joins.areas import Area, matched_area
from tools.quality.joins.detector import Kind, make, out_of_fold
from tools.quality.joins.samples import Samples

QUALIFIED = 0.85
LEAST_SHARE = 0.3
"""At least this share of the engine's joins goes to another song, or its figures say little."""
BOUNDS = {"engine": 0.55, "engine_other": 0.60}
PLAIN = "plain"
MIDDLE = "middle"
"""Places in the middle of a chunk, against which chunk borders that went on naturally are the floor."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one detector makes of the conditions."""

    qualifying: Area
    """AUC on random joins of equal chunks, any song, learned from such joins alone."""
    qualifying_other: Area | None
    """The same, joins to another song."""
    retrained: dict[str, Area | None]
    """AUC by condition, learned from joins of every kind."""

    @property
    def qualified(self) -> bool:
        """Whether it hears enough to be believed."""
        return self.qualifying.value >= QUALIFIED


def judge_samples(samples: Samples, kind: Kind, seed: int) -> tuple[Verdict, DoubleArray]:
    """Return what a detector of one kind makes of the samples, and its retrained scores `(n,)`.

    It qualifies on joins of the plain stream, learned from that stream alone; then it learns from joins of
    every kind. Every score is by a detector that heard none of the window's songs.
    """
    plain = samples.condition == PLAIN
    first = samples.where(plain)
    first_scores = out_of_fold(first, lambda: make(kind, seed))
    qualifying = _area(first, first_scores, first.joined, ~first.joined, seed)
    assert qualifying is not None, "the plain stream has joins and other places"
    scores = out_of_fold(samples, lambda: make(kind, seed))
    # Songs that the engine's model learned from teach the detector, and say nothing of new ones.
    judged_on = samples.fold >= 0
    borders = ~samples.joined & (samples.condition != MIDDLE) & ~plain
    engine = samples.condition == "engine"
    random = samples.condition == "random"
    floor = ~samples.joined & (samples.condition == "natural")
    conditions: dict[str, tuple[BoolArray, BoolArray]] = {
        "plain": (plain & samples.joined, plain & ~samples.joined),
        "plain_other": (plain & samples.joined & samples.other_song, plain & ~samples.joined),
        "random": (random & samples.joined, borders),
        "random_other": (random & samples.joined & samples.other_song, borders),
        "engine": (engine & samples.joined, borders),
        "engine_other": (engine & samples.joined & samples.other_song, borders),
        "engine_same": (engine & samples.joined & ~samples.other_song, borders),
        "natural": (floor, samples.condition == MIDDLE),
    }
    return (
        Verdict(
            qualifying=qualifying,
            qualifying_other=_area(first, first_scores, first.joined & first.other_song, ~first.joined, seed),
            retrained={
                name: _area(samples, scores, joins & judged_on, others & judged_on, seed)
                for name, (joins, others) in conditions.items()
            },
        ),
        scores,
    )


def _area(
    samples: Samples, scores: DoubleArray, joins: BoolArray, others: BoolArray, seed: int
) -> Area | None:
    return matched_area(
        scores[joins], samples.from_song[joins], scores[others], samples.from_song[others], seed
    )
