"""The command `endlos precompute` computes offline what a model says of a pool."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.commands.options import Model
from tools.terminal import AsJson, Quiet, clock, plural, print_json, progress_bar

if TYPE_CHECKING:
    from model.saved.scoring import Scoring
    from tools.pools.embed import EmbedReport
    from tools.pools.precompute import PrecomputeProgress, PrecomputeReport


def precompute(
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    model: Model = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that score.", show_default="number of cores")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compute beforehand what playing POOL with MODEL would compute: embeddings, or all scores.

    Interrupted, the same command goes on where it was. After a rebuild only what is new is computed.
    """
    from model.saved.carried import chosen_model
    from model.saved.contract_file import load_contract
    from tools.work.workers import usable_cores

    folder = chosen_model(model)
    fill = _FILLS[load_contract(folder).scoring]
    report, told = fill(pool.expanduser(), folder, threads or usable_cores(), quiet)
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print(told)


def _embeddings(pool: Path, model: Path, threads: int, quiet: bool) -> "tuple[EmbedReport, str]":
    from tools.pools.embed import embed_pool

    with progress_bar(quiet) as bar:
        task = bar.add_task("chunks", total=None)
        report = embed_pool(
            pool,
            model,
            threads=threads,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    sizes = report.bucket_sizes
    sorted_into = f"; {sizes.count(0)} of {len(sizes)} buckets are empty" if sizes else ""
    return report, (
        f"{report.path}: embeddings of {plural(report.chunks, 'chunk')}; {report.embedded} embedded in "
        f"{clock(report.elapsed_s)}, {report.reused} were there{sorted_into}"
    )


def _scores(pool: Path, model: Path, threads: int, quiet: bool) -> "tuple[PrecomputeReport, str]":
    from tools.pools.precompute import precompute_scores as fill

    with progress_bar(quiet) as bar:
        task = bar.add_task("scoring", total=None)

        def show(state: "PrecomputeProgress") -> None:
            bar.update(task, completed=state.done, total=state.total, description="rows")

        report = fill(pool, model, threads=threads, progress=show)
    return report, (
        f"{report.path}: scores of {plural(report.chunks, 'chunk')}; {report.scored} scored in "
        f"{clock(report.elapsed_s)}, {report.resumed_rows} rows were there, "
        f"{report.reused_scores} scores were taken over"
    )


_FILLS: "dict[Scoring, Callable[[Path, Path, int, bool], tuple[EmbedReport | PrecomputeReport, str]]]" = {
    "pairs": _scores,
    "vectors": _embeddings,
    "buckets": _embeddings,
}
