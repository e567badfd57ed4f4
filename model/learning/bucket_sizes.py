"""This module draws how many chunks fall into each bucket, and which buckets stay empty."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from model.base.arrays import IntArray
from model.base.files import beside

BUCKETS_FILE = "buckets.png"
_SIZED, _EMPTY = "#1f77b4", "#d62728"


def draw_buckets(sizes: Mapping[str, IntArray], path: Path) -> None:
    """Draw the sizes of buckets, a row for each set of songs, into the PNG file `path`, beside and renamed.

    sizes: by the name of the set, `(K,)` chunks in each bucket. Empty ones are marked below the axis.
    """
    # The classes themselves, not pyplot: no window system, no state outside this function.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 0.6 + 2.2 * len(sizes)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(sizes), 1, squeeze=False)[:, 0]
    for axes, (name, counts) in zip(rows, sizes.items(), strict=True):
        buckets = np.arange(len(counts))
        empty = counts == 0
        axes.bar(buckets, counts, width=1.0, color=_SIZED, edgecolor="white", linewidth=0.3)
        if empty.any():
            # Of no marks at all the layout could not tell how much room they take.
            axes.plot(buckets[empty], np.zeros(empty.sum()), "|", color=_EMPTY, markersize=9, clip_on=False)
        axes.set_title(
            f"{name}: {counts.sum()} chunks, {empty.sum()} of {len(counts)} buckets empty (red)", fontsize=9
        )
        axes.set_xlim(-0.5, len(counts) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("chunks")
    rows[-1].set_xlabel("bucket, by its class")
    with beside(path) as part:
        figure.savefig(part, format="png", dpi=80)
