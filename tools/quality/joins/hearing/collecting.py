"""This module collects the samples of a stream as it renders, along the whole of a natural one."""

from collections.abc import Callable

import numpy as np

from model.base.arrays import BoolArray, FloatArray
from tools.quality.joins.hearing.between import BETWEEN, LATEST_BORDER_S, MIDDLE, NATURAL, WithBetween
from tools.quality.joins.hearing.samples import Collector, Samples
from tools.quality.joins.windows import Source, Window, cut_windows


def collected(
    source: Source,
    seconds: float,
    half_s: float,
    name: str,
    fold: int,
    *,
    told: Callable[[float], None] | None = None,
    taken: Callable[[Window, int], None] | None = None,
) -> list[Samples]:
    """Render a stream and return its samples: of the natural one also those between its borders.

    told: is given the seconds that were rendered; taken: each window and how many were taken before it.
    """
    collectors = {name: Collector(half_s)}
    stream = source
    if name == NATURAL:
        stream = WithBetween(source)
        collectors |= {MIDDLE: Collector(half_s), BETWEEN: Collector(half_s)}
    done = 0

    def heard(block: FloatArray) -> None:
        nonlocal done
        done += len(block)
        if told is not None:
            told(done / source.rate_hz)

    # What lies between two borders is known when the second one is.
    late_s = LATEST_BORDER_S if name == NATURAL else 0.0
    for window in cut_windows(stream, seconds, heard=heard, late_s=late_s):
        condition = stream.condition(window.boundary) if isinstance(stream, WithBetween) else name
        count = collectors[condition].count
        if collectors[condition].take(window) and taken is not None:
            taken(window, count)
    return [collector.samples(condition, fold) for condition, collector in collectors.items()]


def along_untouched(samples: Samples) -> BoolArray:
    """Return `(n,)`: the windows along untouched streams."""
    found: BoolArray = ~samples.joined & np.isin(samples.condition, (NATURAL, MIDDLE, BETWEEN))
    return found
