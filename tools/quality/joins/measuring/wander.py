"""This module counts how a stream wanders through its pool, from its decisions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.quality.joins.boundaries import Boundary, Key


@dataclass(frozen=True, kw_only=True)
class Wander:
    """Where a stream went."""

    steps: int
    joins: int
    other_song_share: float
    """Share of the joins that lead to another song."""
    coverage: float
    """Share of the pool's chunks that were heard."""
    largest_share: float
    """What the chunk heard most was heard, over its fair share (steps over chunks, at least one)."""
    repeat_steps: float
    """Median number of steps after which a chunk came back; nan when none did."""
    phrase_s: float
    """Median time between joins."""
    shortest_phrase_s: float
    songs: int
    """Songs that were heard."""


def wander(boundaries: Sequence[Boundary], chunks: int, rate_hz: int) -> Wander:
    """Measure the way of one stream through a pool of `chunks` chunks."""
    keys: list[Key] = [boundary.to_key for boundary in boundaries]
    if boundaries:
        keys.insert(0, boundaries[0].from_key)
    last: dict[Key, int] = {}
    back = []
    for step, key in enumerate(keys):
        if key in last:
            back.append(step - last[key])
        last[key] = step
    joins = [boundary for boundary in boundaries if boundary.joined]
    phrases = np.diff([join.centre_frames for join in joins]) / rate_hz
    most = max(Counter(keys).values(), default=0)
    return Wander(
        steps=len(keys),
        joins=len(joins),
        other_song_share=float(np.mean([join.other_song for join in joins])) if joins else 0.0,
        coverage=len(last) / chunks,
        largest_share=most / max(1.0, len(keys) / chunks),
        repeat_steps=float(np.median(back)) if back else float("nan"),
        phrase_s=float(np.median(phrases)) if len(phrases) else float("nan"),
        shortest_phrase_s=float(phrases.min()) if len(phrases) else float("nan"),
        songs=len({key[0] for key in keys}),
    )
