"""This module draws the figures of a training over its epochs, for each set that is measured on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.base.files import beside


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What is drawn of a training."""

    title: str
    panels: Sequence[tuple[str, str, float]]
    """Figure, label, and what guessing gives."""
    styles: Mapping[str, Mapping[str, str]]
    """How each set that is measured on is drawn."""


def draw_curves(history: list[dict[str, Any]], path: Path, curves: Curves) -> None:
    """Draw the epochs of a training (as in `history.json`) into the PNG file `path`, beside and renamed."""
    # The classes themselves, not pyplot: no window system, no state outside this function.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measured = [row for row in history if row["validations"]]
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    (drawn,) = figure.subplots(1, len(curves.panels), squeeze=False)
    for axes, (key, label, chance) in zip(drawn, curves.panels, strict=True):
        axes.axhline(chance, color="#999999", linewidth=0.8, linestyle=":", label="guessing")
        for name, style in curves.styles.items():
            points = [(r["epoch"], r["validations"][name][key]) for r in measured if name in r["validations"]]
            if points:
                marker = "o" if len(points) < 3 else None
                axes.plot(*zip(*points, strict=True), label=name, linewidth=1.4, marker=marker, **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
    handles, labels = drawn[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.suptitle(curves.title, fontsize=10)
    with beside(path) as part:
        figure.savefig(part, format="png", dpi=80)
