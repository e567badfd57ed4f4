"""The command `endlos train` learns from a pool how naturally chunks follow each other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tools.terminal import AsJson, Quiet, print_json, progress_bar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.progress import Progress

    from model.learning.loop import TrainProgress


def train(
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    out: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model (made if missing).")],
    approach: Annotated[
        Literal["tower", "binary"],
        typer.Option(
            help="tower: one network for ends, one for starts (what plays best); "
            "binary: does this chunk follow that one?"
        ),
    ] = "tower",
    preset: Annotated[
        Literal["seed", "fast", "best"],
        typer.Option(
            help="fast: minutes on two cores; best: half an hour (tower); "
            "seed: the report's network to the letter (binary)."
        ),
    ] = "fast",
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="pretrained|MODEL",
            help="Go on from learned towers: the carried ones, or a model's folder or name.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the pairs; of tower, 50 batches each.",
            show_default="tower: fast 10, best 28; binary: seed 600, fast 30",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs in a step (binary).", show_default="seed: 64, fast: 128")
    ] = None,
    optimizer: Annotated[
        Literal["rmsprop", "adam", "sgd"] | None,
        typer.Option(help="What learns (binary).", show_default="seed: rmsprop, fast: adam"),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Step size at the start.",
            show_default="tower: 0.002, with --from 0.0005; binary: fast 0.002, sgd 0.01, else Keras'",
        ),
    ] = None,
    edge_samples: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="What the model sees of each side, in samples at 1260 Hz (binary).",
            show_default="seed: the shortest chunk, fast: 1260",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed trains alike.")] = 0,
    validation_share: Annotated[
        float, typer.Option(min=0.0, max=0.95, help="Share of the songs kept back to measure on.")
    ] = 0.2,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs from one measurement to the next; the last is always measured.",
            show_default="tower: 2, binary: 1",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted training in MODEL.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on a pool's songs and export it.

    Ctrl-C keeps a checkpoint that --resume goes on from. Needs the extra packages of
    `pip install 'endlos[train]'`.
    """
    binary_only = {"--batch-size": batch_size, "--optimizer": optimizer, "--edge-samples": edge_samples}
    given = [name for name, value in binary_only.items() if value is not None]
    if approach == "tower" and given:
        raise typer.BadParameter(f"{', '.join(given)} goes with --approach binary only")
    if approach == "binary" and start_from is not None:
        raise typer.BadParameter("--from goes with --approach tower only")
    from tools.pools.overwriting import refuse_overwriting

    pool, out = pool.expanduser(), out.expanduser()
    refuse_overwriting(
        (("--out", out),), (("POOL", pool), ("--from", Path(start_from) if start_from else None))
    )
    common: dict[str, Any] = {
        "preset": preset,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "seed": seed,
        "validation_share": validation_share,
    }
    if evaluate_every is not None:
        common["evaluate_every"] = evaluate_every
    if approach == "tower":
        from model.approaches.tower.settings import TowerSettings
        from tools.training import grids

        towers = TowerSettings(pretrained=start_from is not None, **common)
        _train(
            lambda shown: grids.train_on_grids(
                pool,
                out,
                towers,
                start_from=start_from,
                resume=resume,
                prepared=shown.prepared,
                progress=shown.progress,
            ),
            _Told(described=grids.describe_grid_validations, print_report=grids.print_grids_report),
            as_json=as_json,
            quiet=quiet,
        )
    else:
        from model.approaches.binary.settings import BinarySettings
        from tools.training import edges

        binary = BinarySettings(
            batch_size=batch_size, optimizer=optimizer, edge_samples=edge_samples, **common
        )
        _train(
            lambda shown: edges.train_on_edges(pool, out, binary, resume=resume, progress=shown.progress),
            _Told(described=edges.describe_edge_validations, print_report=edges.print_edges_report),
            as_json=as_json,
            quiet=quiet,
        )


@dataclass(frozen=True, kw_only=True)
class _Told:
    """How an approach says what came of it."""

    described: "Callable[[Any], str]"
    print_report: "Callable[[Any], None]"


class _Shown:
    """What a training tells, on a progress bar."""

    def __init__(self, bar: "Progress", approach: _Told) -> None:
        self.bar, self.approach = bar, approach
        self.task = bar.add_task("loading", total=None)

    def prepared(self, done: int, songs: int) -> None:
        self.bar.update(self.task, completed=done, total=songs, description="reading songs")

    def progress(self, state: "TrainProgress[Any]") -> None:
        self.bar.update(
            self.task,
            completed=state.step,
            total=state.steps,
            description=f"epoch {state.epoch} of {state.epochs}, loss {state.loss:.3f}",
        )
        if state.validations is not None:
            told = self.approach.described(state.validations)
            self.bar.console.print(f"epoch {state.epoch}: {told}", highlight=False)


def _train(
    learn: "Callable[[_Shown], DataclassInstance]", approach: _Told, *, as_json: bool, quiet: bool
) -> None:
    with progress_bar(quiet) as bar:
        report = learn(_Shown(bar, approach))
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        approach.print_report(report)
