"""The command `endlos eval` says whether a model knows what follows in songs that it never saw."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tools.commands.idle import IdleOptions, refuse_idle
from tools.commands.options import Model
from tools.terminal import AsJson, Quiet, print_json, progress_bar

if TYPE_CHECKING:
    from tools.quality.ranking.protocol import EvalProgress


_MEASURING_NAMES = ("beside", "gap_ms", "cut", "chunk_s", "training_songs", "plot", "seed", "as_json")


def evaluate(
    context: typer.Context,
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    model: Model = None,
    beside: Annotated[
        list[Path] | None, typer.Option(metavar="MODEL", help="Another model in the same table; repeatable.")
    ] = None,
    gap_ms: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0,
            help="Left out at both ends of every chunk; repeatable.",
            show_default="0, 5, 20, 50, 100, 250",
        ),
    ] = None,
    cut: Annotated[
        Literal["equal", "pool"], typer.Option(help="Equal chunks of --chunk-s, or those of the pool.")
    ] = "equal",
    chunk_s: Annotated[float, typer.Option(help="Length of equal chunks, in s.")] = 3.0,
    training_songs: Annotated[
        bool, typer.Option("--training-songs", help="Ask about songs too that the model was trained on.")
    ] = False,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy",
            help="Write the N x N scores of the pool's own chunks, row = predecessor, and measure nothing.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw figures against the gap, and ranks.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well a model ranks what really follows, with every baseline beside it.

    Songs that the model was trained on are left out. `--scores` writes what the engine goes by.
    """
    from model.saved.carried import chosen_model
    from tools.pools.overwriting import refuse_overwriting

    refuse_idle(
        context,
        IdleOptions(
            names=_MEASURING_NAMES, where=scores is not None, why="with --scores, which measures nothing"
        ),
        IdleOptions(names=("chunk_s",), where=cut == "pool", why="with --cut pool, whose chunks are there"),
    )
    folder = chosen_model(model)
    others = [chosen_model(other) for other in beside or ()]
    refuse_overwriting(
        (("--scores", scores), ("--plot", plot)),
        (("POOL", pool), ("--model", folder), *(("--beside", other) for other in others)),
    )
    with progress_bar(quiet) as bar:
        task = bar.add_task("loading", total=None)

        def show(state: "EvalProgress") -> None:
            bar.update(task, completed=state.done, total=state.total, description=state.what)

        if scores is not None:
            from tools.quality.ranking.protocol import write_scores

            write_scores(pool.expanduser(), folder, scores.expanduser(), show)
            return
        from tools.quality.ranking.protocol import GAPS_MS, EvalSettings
        from tools.quality.ranking.protocol import evaluate_model as measure

        settings = EvalSettings(
            model=folder,
            beside=tuple(others),
            gaps_ms=tuple(gap_ms) if gap_ms else GAPS_MS,
            chunk_s=chunk_s if cut == "equal" else None,
            training_songs=training_songs,
            seed=seed,
        )
        report = measure(pool.expanduser(), settings, show)
    if plot is not None:
        from tools.quality.ranking.plot import plot_report

        plot_report(report, plot.expanduser())
    if as_json:
        print_json(report.plain())
    elif not quiet:
        from tools.quality.ranking.table import print_evaluation

        print_evaluation(report)
