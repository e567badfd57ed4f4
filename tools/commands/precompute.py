"""`endlos precompute`: all scores of a pool, offline."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.terminal import AsJson, Quiet, clock, plural, print_json, progress_bar

if TYPE_CHECKING:
    from tools.precompute import PrecomputeProgress


def precompute(
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Folder of a model; else the one endlos carries.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that score.", show_default="number of cores")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score every chunk after every other, so that playing with MODEL only looks its choices up.

    Interrupted, the same command goes on where it was. After a rebuild only what is new is scored.
    """
    from model.contract import carried_model
    from tools.precompute import precompute as fill

    with progress_bar(quiet) as bar:
        task = bar.add_task("scoring", total=None)

        def show(state: "PrecomputeProgress") -> None:
            bar.update(task, completed=state.done, total=state.total, description="rows")

        report = fill(
            pool.expanduser(),
            model.expanduser() if model else carried_model(),
            threads=threads or os.cpu_count() or 1,
            progress=show,
        )
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print(
            f"{report.path}: scores of {plural(report.chunks, 'chunk')}; {report.scored} scored in "
            f"{clock(report.elapsed_s)}, {report.resumed_rows} rows were there, "
            f"{report.reused_scores} scores were taken over"
        )
