"""The terminal prints JSON, aligned tables, progress bars and times for the commands."""

import errno
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from model.base.errors import EndlosError

if TYPE_CHECKING:
    from rich.progress import Progress

DEBUG = "--debug"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
WIDEST_CELL = 60
"""What is wider does not widen its column."""
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, and no summary on success.")]


def write_past_buffers(stream: TextIO, text: str) -> None:
    """Write text into the file behind a stream, past its buffers; what cannot be written is dropped.

    Who waits for a stream's file holds its lock, which Python wants for itself as it ends.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        # None of the system's: nobody waits.
        stream.write(text)
        return
    data = text.encode(stream.encoding or "utf-8", "backslashreplace")
    with suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]


def print_json(value: object) -> None:
    """Print one JSON document of plain values and paths; a NaN in it is a fault of the caller.

    An iterator that a dictionary holds is a list of what it gives, and each value is printed as it comes.
    """
    if isinstance(value, dict):
        value = {
            name: _Listed.of(held) if isinstance(held, Iterator) else held for name, held in value.items()
        }
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    sys.stdout.writelines(encoder.iterencode(value))
    print()


class _Listed(list[object]):
    """What an iterator gives, as the encoder takes it for a list: gone through once, and never held."""

    @classmethod
    def of(cls, values: Iterator[object]) -> list[object]:
        # An empty one is told apart beforehand.
        first = list(islice(values, 1))
        listed = cls(first)
        listed._values = chain(first, values)
        return listed

    _values: Iterator[object] = iter(())

    def __iter__(self) -> Iterator[object]:
        return self._values


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print left-aligned columns, two spaces apart.

    One long cell does not widen the table: it is shortened in its middle on a terminal, else (a pipe or a
    grep sees all of it) it stands out of its column. The last column is as long as it is.
    """
    most = WIDEST_CELL if sys.stdout.isatty() else None
    lines = [
        [*(without_middle(str(cell), most) for cell in row[:-1]), *map(str, row[-1:])]
        for row in (head, *rows)
    ]
    widths = [
        max([cells for line in lines if (cells := display_cells(line[column])) <= WIDEST_CELL], default=0)
        for column in range(len(head))
    ]
    for line in lines:
        padded = (
            cell + " " * (width - display_cells(cell)) for cell, width in zip(line, widths, strict=True)
        )
        print("  ".join(padded).rstrip())


def table_cell(value: object) -> str:
    """Return a value as a person reads it: nothing for None, yes or no, four digits of what was measured."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return str(value)


def display_cells(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for a wide letter, none for a combining mark."""
    return sum(_cells(letter) for letter in text)


def without_middle(text: str, most: int | None) -> str:
    """Return a text of at most `most` cells, shortened in its middle; None: any length."""
    if most is None or display_cells(text) <= most:
        return text
    first = last = ""
    left, right = list(text), list(reversed(text))
    while display_cells(first + left[0]) <= (most - 1) // 2:
        first += left.pop(0)
    while display_cells(right[0] + last) <= most - 1 - display_cells(first):
        last = right.pop(0) + last
    return f"{first}\N{HORIZONTAL ELLIPSIS}{last}"


def _cells(letter: str) -> int:
    # A mark that stands over another letter, or joins two, has no cell of its own.
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def clock(seconds: float) -> str:
    """Return `1:02:03` or `2:03`; what lies before zero counts as zero."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def plural(number: int, noun: str) -> str:
    """Return `1 song` or `2 songs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    """Return `text` without control characters: a tag must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def sentence(error: Exception) -> str:
    """Return what a user reads about `error`: what happened, and what to do."""
    if isinstance(error, EndlosError):
        return str(error)
    if isinstance(error, OSError):
        where = error.filename if error.filename is not None else "a file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"no room left on the disk for {where}; free some and run this again, what is done is kept"
        if isinstance(error, PermissionError):
            return f"no permission for {where}; choose a place that you may read and write"
        if error.strerror:
            return f"{where}: {error.strerror}"
    return (
        f"unexpected {type(error).__name__}: {error}; "
        f"this is a fault of endlos, {DEBUG} at the end of the same line shows where"
    )


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(f"endlos: {printable(record.getMessage())}", file=sys.stderr)


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Print what is logged as a warning or worse, one sentence each, above a progress bar if one is there."""
    handler = _Warnings(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


@contextmanager
def progress_bar(quiet: bool) -> Iterator["Progress"]:
    """Draw progress on the terminal's error stream; nothing when that is none, or with `quiet`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    shown = not quiet and sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as progress:
        yield progress
