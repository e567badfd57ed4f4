"""`endlos train`: learn from a pool how naturally chunks follow each other."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tools.terminal import AsJson, Quiet, print_json, progress_bar

if TYPE_CHECKING:
    from model.measures import Measure
    from model.settings import TrainSettings
    from model.tower_measures import SuccessorRanks
    from model.tower_settings import TowerSettings
    from model.tower_training import TowerProgress
    from model.training import TrainProgress


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
            help="Go on from learned towers: the carried ones, or those in a folder.",
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
    evaluate_every: Annotated[int, typer.Option(min=1, help="Epochs between two measurements.")] = 1,
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
    if approach == "tower":
        from model.tower_settings import TowerSettings

        binary_only = {"--batch-size": batch_size, "--optimizer": optimizer, "--edge-samples": edge_samples}
        given = [name for name, value in binary_only.items() if value is not None]
        if given:
            raise typer.BadParameter(f"{', '.join(given)} goes with --approach binary only")
        towers = TowerSettings(
            preset=preset,
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            validation_share=validation_share,
            evaluate_every=evaluate_every,
            pretrained=start_from is not None,
        )
        _train_tower(pool, out, towers, start_from, resume=resume, as_json=as_json, quiet=quiet)
        return
    if start_from is not None:
        raise typer.BadParameter("--from goes with --approach tower only")
    from model.settings import TrainSettings

    settings = TrainSettings(
        approach=approach,
        preset=preset,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        seed=seed,
        validation_share=validation_share,
        edge_samples=edge_samples,
        evaluate_every=evaluate_every,
    )
    _train_binary(pool, out, settings, resume=resume, as_json=as_json, quiet=quiet)


def _train_tower(
    pool: Path,
    out: Path,
    settings: "TowerSettings",
    start_from: str | None,
    *,
    resume: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from tools.train_tower import print_report, train_tower

    with progress_bar(quiet) as bar:
        task = bar.add_task("loading", total=None)

        def prepared(done: int, songs: int) -> None:
            bar.update(task, completed=done, total=songs, description="reading songs")

        def show(state: "TowerProgress") -> None:
            bar.update(
                task,
                completed=state.step,
                total=state.steps,
                description=f"epoch {state.epoch} of {state.epochs}, loss {state.loss:.3f}",
            )
            if state.ranks is not None:
                bar.console.print(f"epoch {state.epoch}: {ranked(state.ranks)}", highlight=False)

        report = train_tower(
            pool.expanduser(),
            out.expanduser(),
            settings,
            start_from=start_from,
            resume=resume,
            prepared=prepared,
            progress=show,
        )
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print_report(report)


def _train_binary(
    pool: Path, out: Path, settings: "TrainSettings", *, resume: bool, as_json: bool, quiet: bool
) -> None:
    from tools.train import print_report, train_model

    with progress_bar(quiet) as bar:
        task = bar.add_task("loading", total=None)

        def show(state: "TrainProgress") -> None:
            bar.update(
                task,
                completed=state.step,
                total=state.steps,
                description=f"epoch {state.epoch} of {state.epochs}, loss {state.loss:.3f}",
            )
            if state.validations is not None:
                bar.console.print(f"epoch {state.epoch}: {described(state.validations)}", highlight=False)

        report = train_model(pool.expanduser(), out.expanduser(), settings, resume=resume, progress=show)
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print_report(report)


def ranked(ranks: "dict[str, SuccessorRanks]") -> str:
    """Return where the successor stands in each set, side by side."""
    return "; ".join(
        f"{name}: first {value.top_1:.3f}, in ten {value.top_10:.3f}, AUC same song {value.auc_same:.3f}"
        for name, value in ranks.items()
    )


def described(validations: "dict[str, Measure]") -> str:
    """Return accuracy and AUC on each set, side by side."""
    return "; ".join(
        f"{name} {value.accuracy:.3f} (AUC {value.auc:.3f})" for name, value in validations.items()
    )
