"""The command `endlos joins` says whether anyone hears the joins that the engine makes."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tools.commands.idle import IdleOptions, refuse_idle
from tools.commands.options import Model
from tools.terminal import (
    AsJson,
    Quiet,
    print_json,
    print_table,
    printable,
    progress_bar,
    warnings_on_stderr,
)

QUICK_SECONDS = 600.0


_MEASURING_NAMES = (
    *("model", "seconds", "folds", "fold_models", "detector", "seed"),
    *("plot", "listen", "pieces", "quick"),
)


def joins(
    context: typer.Context,
    pool: Annotated[
        Path,
        typer.Argument(
            metavar="POOL", help="Folder that `endlos pool build` wrote, or with --explain a decision log."
        ),
    ],
    model: Model = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=30.0,
            help="Length of each stream that is rendered, in seconds; untouched songs are heard whole.",
        ),
    ] = 2400.0,
    folds: Annotated[
        int,
        typer.Option(min=2, max=10, help="The songs are parted so often; each part is judged by the rest."),
    ] = 3,
    fold_models: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of models that did not learn from some of these songs, which make their fold.",
        ),
    ] = None,
    detector: Annotated[
        Literal["boosted", "network", "both"],
        typer.Option(help="What listens: boosted trees, a small CNN (needs the extra `train`), or both."),
    ] = "boosted",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 0,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw the best and the worst joins there, and the stream's way."),
    ] = None,
    listen: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write a blind listening test there: changes of song, each beside a short blend of the "
            "same two places, and joins among other places; short files, sheet, answers.",
        ),
    ] = None,
    pieces: Annotated[
        int,
        typer.Option(min=2, max=200, help="Joins in the listening test, and as many other places and pairs."),
    ] = 20,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Only tell why joins are as they are: of a decision log, or a pool's best."
        ),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first impression: two folds, streams of ten minutes at most.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how easily the engine's joins are heard.

    The songs are parted into folds. In each, the engine, a random choice under the engine's own crossfade,
    the songs as they are, and equal chunks under a plain crossfade are rendered; a detector that heard only
    songs of the other folds tells joins from places where nothing was joined (AUC 0.5: it cannot, 1: always).
    A long join counts by its worst moment, and is held against as much untouched music.
    Beside that, the joins of the whole pool are measured: beat, key, level, clicks, peaks, repeats, and the
    way from song to song.
    It takes half an hour of two cores for 65 songs, with --quick some minutes; a bar says how far it is.
    """
    refuse_idle(
        context,
        IdleOptions(names=_MEASURING_NAMES, where=explain, why="with --explain, which measures nothing"),
        IdleOptions(names=("pieces",), where=listen is None, why="without --listen"),
        IdleOptions(names=("folds",), where=quick, why="with --quick, which has two"),
    )
    if explain:
        _explain(pool.expanduser(), as_json=as_json)
        return
    from model.saved.carried import chosen_model
    from tools.pools.overwriting import refuse_overwriting
    from tools.quality.joins.hearing.network import load_keras
    from tools.quality.joins.listening import write_sheet
    from tools.quality.joins.pictures import draw
    from tools.quality.joins.protocol import JoinSettings, study
    from tools.quality.joins.report import plain, print_study

    read = (("POOL", pool), ("--model", model), ("--fold-models", fold_models))
    # One by one: pictures and pieces may lie in the same folder.
    refuse_overwriting((("--plot", plot),), read)
    refuse_overwriting((("--listen", listen),), read)
    if detector != "boosted":
        load_keras()
    settings = JoinSettings(
        seconds=min(seconds, QUICK_SECONDS) if quick else seconds,
        natural_s=QUICK_SECONDS if quick else JoinSettings.natural_s,
        folds=2 if quick else folds,
        seed=seed,
        model=chosen_model(model),
        fold_models=fold_models.expanduser() if fold_models else None,
        detectors=("boosted", "network") if detector == "both" else (detector,),
        kept=pieces if listen else 0,
    )
    with warnings_on_stderr(), progress_bar(quiet) as bar:
        task = bar.add_task("opening", total=1000)

        def told(what: str, done: float) -> None:
            bar.update(task, completed=round(1000 * done), description=what)

        found = study(pool.expanduser(), settings, told)
    written = draw(found, plot.expanduser()) if plot else []
    if listen:
        written += write_sheet(found, listen.expanduser(), seed)
    if as_json:
        print_json({**plain(found), "files": written})
    elif not quiet:
        print_study(found)
        for path in written:
            print(path)


def _explain(source: Path, *, as_json: bool) -> None:
    from tools.quality.doors.explain import EXPLAINED_HEAD, explain_joins

    found = explain_joins(source)
    if as_json:
        print_json([join.as_json() for join in found])
        return
    rows = [[printable(cell) for cell in join.cells()] for join in found]
    print_table(EXPLAINED_HEAD, rows) if rows else print("nothing is joined there")
