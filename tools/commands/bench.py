"""The command `endlos bench` prints what this machine achieves, held against budgets."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tools.bench.questions import CARD, QUESTIONS
from tools.commands.idle import IdleOptions, refuse_idle
from tools.commands.options import Model
from tools.terminal import AsJson, Quiet, plural, print_json


def bench(
    context: typer.Context,
    pool: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POOL]",
            help="Folder that `endlos pool build` wrote.",
            show_default="demo songs that endlos makes",
        ),
    ] = None,
    model: Model = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help=f"Some parts only: {', '.join(QUESTIONS)}.",
            show_default="all but peers",
        ),
    ] = None,
    peers: Annotated[
        bool,
        typer.Option("--peers", help="Measure Liquidsoap and MPD too, where they and Icecast are installed."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few repeats, for a look: the verdicts mean little.")
    ] = False,
    budget: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Another budget, as for another machine; repeatable."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="D", help="Sound card to play on.", show_default="a silent one of its own"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append the results there, as a JSON line.",
            show_default="benchmarks/results.jsonl in a checkout, else in the user's data folder",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the figures into a .png, .svg or .pdf file.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure what this machine achieves.

    Starting, decisions, an hour and a day on a virtual clock, the sound card, rendering, blends: about 15
    minutes. Exit 1 when a figure is past its budget.
    """
    from model.saved.carried import chosen_model
    from tools.bench.budgets import Budgets, with_changes
    from tools.bench.figures import past_budget
    from tools.bench.plot import plot_figures
    from tools.bench.record import default_results, record
    from tools.bench.settings import BenchSettings
    from tools.bench.source import about, bench_pool
    from tools.bench.suite import chosen, measure_questions
    from tools.bench.table import print_figures
    from tools.plots import require_matplotlib
    from tools.pools.overwriting import refuse_overwriting

    refuse_overwriting(
        (("--out", out), ("--plot", plot)),
        (("POOL", pool), ("--model", chosen_model(model) if model else None)),
    )
    budgets = with_changes(Budgets(), budget or ())
    questions = chosen(only, peers=peers)
    refuse_idle(
        context,
        IdleOptions(names=("device",), where=CARD not in questions, why="where --only leaves the card out"),
    )
    if plot is not None:
        # Before a quarter of an hour is spent.
        require_matplotlib()

    def notice(text: str) -> None:
        if not quiet and sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    settings = BenchSettings(
        pool=bench_pool(pool, notice),
        model=chosen_model(model) if model else None,
        device=device,
        quick=quick,
        budgets=budgets,
        notice=notice,
    )
    figures = measure_questions(questions, settings)
    notice("")
    described = about(settings)
    summary: dict[str, object] = {
        **described,
        "quick": quick,
        "figures": [figure.as_json() for figure in figures],
    }
    record("bench", summary, out.expanduser() if out else default_results())
    if plot is not None:
        heading = ", ".join(f"{key}: {value}" for key, value in described.items())
        plot_figures(figures, plot.expanduser(), f"endlos bench, {heading}")
    past = past_budget(figures)
    if as_json:
        print_json({**summary, "past_budget": [figure.name for figure in past]})
    elif not quiet:
        print_figures(figures)
    if past:
        names = "; ".join(f"{figure.question}: {figure.name}" for figure in past)
        print(f"endlos: {plural(len(past), 'figure')} past the budget: {names}", file=sys.stderr)
        raise typer.Exit(1)
