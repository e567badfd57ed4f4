"""A verdict is a detector's AUC for one condition, against places matched in song and in length."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, DoubleArray
from tools.quality.joins.hearing.areas import Area, Scored, matched_area
from tools.quality.joins.hearing.between import BETWEEN, MIDDLE, NATURAL
from tools.quality.joins.hearing.collecting import along_untouched
from tools.quality.joins.hearing.detector import Kind, make, out_of_fold
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.hearing.worst import section_changes, worst_area, worst_of_joins, worst_of_stretches

QUALIFIED = 0.85
LEAST_SHARE = 0.3
"""At least this share of the engine's joins goes to another song, or its figures say little."""
PLAIN = "plain"


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
    every kind. Every score is by a detector that heard none of the window's songs. A join that is longer
    than a window counts by its worst moment, and is held against the worst of as many over untouched music.
    """
    plain = samples.condition == PLAIN
    first = samples.where(plain)
    first_scores = out_of_fold(first, lambda: make(kind, seed))

    def qualifying(joins: BoolArray) -> Area | None:
        places = [worst_of_joins(first, first_scores, chosen) for chosen in (joins, ~first.joined)]
        return matched_area(places[0], places[1], seed)

    whole = qualifying(first.joined)
    assert whole is not None, "the plain stream has joins and other places"
    scores = out_of_fold(samples, lambda: make(kind, seed))
    return (
        Verdict(
            qualifying=whole,
            qualifying_other=qualifying(first.joined & first.other_song),
            retrained=_retrained(samples, scores, seed),
        ),
        scores,
    )


def _retrained(samples: Samples, scores: DoubleArray, seed: int) -> dict[str, Area | None]:
    # Songs that the engine's model learned from teach the detector, and say nothing of new ones.
    judged_on = samples.fold >= 0
    joined, other, condition = samples.joined, samples.other_song, samples.condition
    plain, random, engine = (condition == name for name in (PLAIN, "random", "engine"))
    floor = ~joined & (condition == NATURAL) & judged_on
    middles = (condition == MIDDLE) & judged_on
    track = along_untouched(samples) & judged_on
    borders = ~joined & ~np.isin(condition, (PLAIN, MIDDLE, BETWEEN)) & judged_on
    sections = section_changes(samples, track, floor)

    def worst(joins: BoolArray) -> Scored:
        return worst_of_joins(samples, scores, joins & judged_on)

    def against(joins: Scored, single: BoolArray, centres: BoolArray) -> Area | None:
        return worst_area(samples, scores, joins, single, track, centres, seed)

    to_others = worst(engine & joined & other)
    lengths = to_others.moments if len(to_others) else np.ones(1, dtype=np.int64)
    return {
        "plain": against(worst(plain & joined), plain & ~joined & judged_on, floor),
        "plain_other": against(worst(plain & joined & other), plain & ~joined & judged_on, floor),
        "random": against(worst(random & joined), borders, floor),
        "random_other": against(worst(random & joined & other), borders, floor),
        "engine": against(worst(engine & joined), borders, floor),
        "engine_other": against(to_others, borders, floor),
        "engine_same": against(worst(engine & joined & ~other), borders, floor),
        "section": against(
            worst_of_stretches(samples, scores, track, sections, lengths),
            borders & ~sections,
            floor & ~sections,
        ),
        NATURAL: matched_area(
            worst_of_joins(samples, scores, floor), worst_of_joins(samples, scores, middles), seed
        ),
    }
