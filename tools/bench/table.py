"""This module prints the figures as one table."""

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.bench.figures import Figure

_WIDE = 200
_VERDICTS = {True: ("ok", "green"), False: ("PAST", "bold red"), None: ("", "")}


def print_figures(figures: Sequence[Figure]) -> None:
    """Print the table; into a pipe as wide as it needs to be."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("figure", min_width=24)
    for name in ("p50", "p95", "p99 or value", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("budget", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("note", overflow="fold")
    before = None
    for figure in figures:
        if before is not None and figure.question != before:
            table.add_section()
        table.add_row(*cells(figure, first=figure.question != before))
        before = figure.question
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def cells(figure: Figure, *, first: bool) -> list[Text]:
    """Return one row; the question stands in the first of its rows only."""
    spread = figure.spread or {}
    verdict, style = _VERDICTS[figure.within]
    texts = [
        figure.question if first else "",
        figure.name,
        number(spread.get("p50")),
        number(spread.get("p95")),
        number(figure.value) if figure.value is not None else "-",
        number(spread.get("max")),
        figure.unit,
        _budget(figure),
    ]
    return [*map(Text, texts), Text(verdict, style=style), Text(figure.note, style="dim")]


def number(value: float | None) -> str:
    """Return three or four digits that count; nothing for None."""
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def _budget(figure: Figure) -> str:
    bounds = []
    if figure.at_most is not None:
        bounds.append(f"≤ {number(figure.at_most)}")
    if figure.at_least is not None:
        bounds.append(f"≥ {number(figure.at_least)}")
    return " ".join(bounds)
