"""This module prints how well beats were found, a row for each group of music."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from tools.quality.beats.protocol import CHECKED_SONGS, BeatReport

_WIDE = 160


def print_beats(report: BeatReport) -> None:
    """Print the groups, every song that has a name of its own, and what confidence is worth."""
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    table = _table(
        "music", "pieces", "F", "F, octaves", "downbeats", "bars", "ms", "sure", "sure, wrong", "sure, 2:3"
    )
    for group in report.groups:
        table.add_row(
            group.group,
            str(group.pieces),
            *map(_text, (group.beat_f, group.level_f, group.downbeat_f, group.bar_f)),
            "-" if group.error_ms is None else f"{group.error_ms:.1f}",
            *map(_text, (group.sure, group.sure_and_wrong, group.ratio_errors)),
        )
    console.print(table)
    songs = [one for one in report.judged if one.group == CHECKED_SONGS]
    if songs:
        table = _table("song", "tempo", "F", "F, octaves", "bars", "confidence", "of bars")
        for one in songs:
            found = one.figures
            values = (found.beat_f, found.level_f, found.bar_f, found.confidence, found.bar_confidence)
            table.add_row(one.name, found.level, *map(_text, values))
        console.print(table)
    table = _table("confidence", "pieces", "on a level of the metre")
    for span in report.confidence:
        table.add_row(f"{span.least:g} to {span.most:g}", str(span.pieces), _text(span.fitting))
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, min_width=14)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _text(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.2f}"
