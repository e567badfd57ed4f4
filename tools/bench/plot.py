"""This module draws how much of its budget each figure takes, and how decisions grow with the pool."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.base.errors import OutputError
from tools.bench.figures import Figure
from tools.bench.table import number
from tools.plots import require_matplotlib

_WITHIN, _PAST = "#2a9d8f", "#e76f51"
_LEAST = 1e-3
"""What takes less of its budget is drawn as this."""
_ROW_INCHES = 0.28
_NAME_LETTERS = 60


def plot_figures(figures: Sequence[Figure], path: Path, title: str) -> None:
    """Draw into a file, whose ending says which kind; `OutputError` when it cannot be written."""
    require_matplotlib()
    from matplotlib.figure import Figure as Picture

    budgeted = [figure for figure in figures if share(figure) is not None]
    spread = [figure for figure in figures if figure.spread is not None]
    heights = [max(3, len(rows)) * _ROW_INCHES for rows in (budgeted, spread)]
    picture = Picture(figsize=(12, sum(heights) + 2.2), layout="constrained")
    above, below = picture.subplots(2, 1, height_ratios=heights)
    _draw_shares(above, budgeted)
    _draw_spreads(below, spread)
    picture.suptitle(title, fontsize=11)
    try:
        picture.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be drawn ({error}); name a .png, .svg or .pdf file") from error


def share(figure: Figure) -> float | None:
    """Return how much of its budget a figure takes, 1 is all of it; None without value or budget."""
    if figure.value is None:
        return None
    if figure.at_most is not None:
        if figure.at_most > 0:
            return figure.value / figure.at_most
        # Nothing is allowed: all or nothing.
        return 0.0 if figure.value <= figure.at_most else 10.0
    if figure.at_least is not None:
        return figure.at_least / figure.value if figure.value > 0 else 10.0
    return None


def _draw_shares(axes: Any, figures: Sequence[Figure]) -> None:
    shares = [max(_LEAST, share(figure) or 0.0) for figure in figures]
    colours = [_WITHIN if figure.within else _PAST for figure in figures]
    axes.barh(range(len(figures)), shares, color=colours)
    for row, figure in enumerate(figures):
        bound = figure.at_most if figure.at_most is not None else figure.at_least
        text = f" {number(figure.value)} of {number(bound)} {figure.unit}"
        axes.text(max(shares[row], 1.0), row, text, va="center", fontsize=8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set(xscale="log", xlim=(_LEAST, 30.0), xlabel="share of the budget (log), 1 is all of it")
    _name_rows(axes, figures)


def _draw_spreads(axes: Any, figures: Sequence[Figure]) -> None:
    for row, figure in enumerate(figures):
        assert figure.spread is not None
        low, high = max(figure.spread["p50"], _LEAST), max(figure.spread["max"], _LEAST)
        axes.plot([low, high], [row, row], color="#8d99ae", linewidth=3, solid_capstyle="round", zorder=1)
        for name, marker in (("p50", "o"), ("p95", "|"), ("p99", "D"), ("max", "|")):
            at = max(figure.spread[name], _LEAST)
            label = name if row == 0 and name in ("p50", "p99") else None
            axes.scatter(at, row, marker=marker, color="#264653", s=28, zorder=2, label=label)
    axes.set(xscale="log", xlabel="ms (log): p50, p95, p99, max")
    if figures:
        axes.legend(loc="lower right", fontsize=8)
    _name_rows(axes, figures)


def _name_rows(axes: Any, figures: Sequence[Figure]) -> None:
    names = [f"{figure.question}: {figure.name}"[:_NAME_LETTERS] for figure in figures]
    axes.set_yticks(range(len(figures)), names, fontsize=8)
    axes.set_ylim(len(figures) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
