"""`endlos train`: learn from a pool how naturally chunks follow each other."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tools.terminal import AsJson, Quiet, print_json, progress_bar

if TYPE_CHECKING:
    from model.measures import Measure
    from model.training import TrainProgress


def train(
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    out: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model (made if missing).")],
    approach: Annotated[
        Literal["binary"], typer.Option(help="binary: does this chunk follow that one?")
    ] = "binary",
    preset: Annotated[
        Literal["seed", "fast"],
        typer.Option(
            help="seed: the report's network to the letter; fast: a small one, minutes on two cores."
        ),
    ] = "fast",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the pairs.", show_default="seed: 600, fast: 30")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs in a step.", show_default="seed: 64, fast: 128")
    ] = None,
    optimizer: Annotated[
        Literal["rmsprop", "adam", "sgd"] | None,
        typer.Option(help="What learns.", show_default="seed: rmsprop, fast: adam"),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Step size at the start.", show_default="sgd: 0.01, fast with adam: 0.002, else Keras'"
        ),
    ] = None,
    edge_samples: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="What the model sees of each side, in samples at 1260 Hz.",
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
    """Train a model on a pool and export it.

    Ctrl-C keeps a checkpoint that --resume goes on from. Needs the extra packages of
    `pip install 'endlos[train]'`.
    """
    from model.settings import TrainSettings
    from tools.train import print_report, train_model

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


def described(validations: "dict[str, Measure]") -> str:
    """Return accuracy and AUC on each set, side by side."""
    return "; ".join(
        f"{name} {value.accuracy:.3f} (AUC {value.auc:.3f})" for name, value in validations.items()
    )
