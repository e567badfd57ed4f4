"""The command `endlos beats` says whether beats and bars are found, in music whose beats are known."""

from pathlib import Path
from typing import Annotated

import typer

from tools.terminal import AsJson, Quiet, print_json, progress_bar


def judge_tracking(
    music: Annotated[
        Path | None,
        typer.Argument(metavar="[MUSIC]", help="Folder of songs whose beats --truth names."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Files of beats: SONG.beats for each song.", show_default="none"),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Make only each of so many renderings and demo songs.")
    ] = 1,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well beats and bars are found: F-measures, octaves, two thirds, confidence.

    In renderings of drums and chords in every metre, in demo songs, and in songs whose beats are known.
    """
    from model.base.errors import EndlosError
    from tools.quality.beats.protocol import judge_all

    if (music is None) != (truth is None):
        raise EndlosError("MUSIC and --truth go together: songs, and the files that name their beats")
    with progress_bar(quiet) as bar:
        task = bar.add_task("tracking", total=None)
        report = judge_all(
            music and music.expanduser(),
            truth and truth.expanduser(),
            every,
            lambda done: bar.update(task, completed=done),
        )
    if as_json:
        print_json(report.plain())
    elif not quiet:
        from tools.quality.beats.table import print_beats

        print_beats(report)
