"""This module draws forecasts beside what really followed and beside what trivial predictors say."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from model.base.arrays import FloatArray

_SHOWN = 3
_STEPS_BEFORE = 48
_COLOURS = ("#222222", "#d62728", "#999999", "#1f77b4")


def drawn_forecasts(ahead: Mapping[str, FloatArray], known: FloatArray, title: str) -> bytes:
    """Return a PNG of some of the forecasts, evenly spread.

    ahead: by name what followed (first) and what is said of it, each `(n, steps, values)`. known: `(n, steps
    before, values)`. One value is drawn as lines, many as pictures, values upwards.
    """
    # The classes themselves, not pyplot: no window system, no state outside this function.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = np.unique(np.linspace(0, len(known) - 1, _SHOWN).astype(np.int64)).tolist()
    figure = Figure(figsize=(11, 2.4 * len(rows) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    if known.shape[2] == 1:
        axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
        for one, row in zip(axes, rows, strict=True):
            _lines(one, {name: found[row, :, 0] for name, found in ahead.items()}, known[row, :, 0])
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    else:
        grid = figure.subplots(len(rows), 1 + len(ahead), squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            _pictures(line, {name: found[row] for name, found in ahead.items()}, known[row])
        for one, name in zip(grid[0], ("known", *ahead), strict=True):
            one.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=64)
    return content.getvalue()


def _lines(axes: Any, ahead: Mapping[str, FloatArray], known: FloatArray) -> None:
    before = known[-_STEPS_BEFORE:]
    axes.plot(np.arange(-len(before), 0), before, color=_COLOURS[0], linewidth=0.8, label="known")
    for (name, values), colour in zip(ahead.items(), _COLOURS, strict=True):
        # Each line begins at the last sample that is known.
        line = np.concatenate([before[-1:], values])
        axes.plot(np.arange(-1, len(values)), line, color=colour, linewidth=1.6, label=name)
    axes.axvline(-0.5, color="#999999", linewidth=0.8, linestyle=":")
    axes.grid(alpha=0.25)
    # A prediction that runs away does not hide what happened.
    most = 1.3 * max(1e-3, float(np.abs(before).max()), float(np.abs(ahead["truth"]).max()))
    axes.set_ylim(-most, most)


def _pictures(line: Any, ahead: Mapping[str, FloatArray], known: FloatArray) -> None:
    least, most = np.percentile(known, [2, 98])
    for axes, values in zip(line, (known[-_STEPS_BEFORE:], *ahead.values()), strict=True):
        axes.imshow(
            values.T,
            origin="lower",
            aspect="auto",
            vmin=least,
            vmax=most,
            cmap="magma",
            interpolation="nearest",
        )
        axes.set_xticks([])
        axes.set_yticks([])
