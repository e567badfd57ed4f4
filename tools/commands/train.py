"""The command `endlos train` learns from a pool how naturally chunks follow each other."""

import inspect
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from model.approaches.registry import APPROACHES, DEFAULT_APPROACH
from model.learning.approach import Approach
from model.learning.settings import TrainOption, TrainSettings, option_of
from tools.terminal import AsJson, Quiet, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress

    from model.learning.lesson import TrainProgress, TrainReport

    Name: TypeAlias = str
    PresetName: TypeAlias = str
else:
    Name = Literal[tuple(APPROACHES)]
    PresetName = Literal[tuple(dict.fromkeys(name for one in APPROACHES.values() for name in one.presets))]

_START = "pretrained"
"""The setting that --from stands for."""


def train(
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    out: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model (made if missing).")],
    approach: Annotated[
        Name, typer.Option(help="; ".join(f"{one.name}: {one.summary}" for one in APPROACHES.values()) + ".")
    ] = DEFAULT_APPROACH,
    preset: Annotated[
        PresetName,
        typer.Option(
            help="; ".join(
                f"{one.name}: " + ", ".join(f"{name} ({told.summary})" for name, told in one.presets.items())
                for one in APPROACHES.values()
            )
            + "."
        ),
    ] = TrainSettings.preset,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="pretrained|MODEL",
            help="Go on from learned weights: the carried ones, or a model's folder or name "
            f"({', '.join(one.name for one in APPROACHES.values() if _START in one.setting_names)}).",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted training in MODEL.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Train a model on a pool's songs and export it.

    Ctrl-C keeps a checkpoint that --resume goes on from. Needs the extra packages of
    `pip install -e '.[train]'`, typed in endlos' folder.
    """
    chosen = APPROACHES[approach]
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
        if value is not None and value != []
    }
    if start_from is not None:
        given[_START] = True
    _refuse_foreign(chosen, given)
    from tools.pools.overwriting import refuse_overwriting
    from tools.training.lessons import train_model

    pool, out = pool.expanduser(), out.expanduser()
    refuse_overwriting(
        (("--out", out),), (("POOL", pool), ("--from", Path(start_from) if start_from else None))
    )
    asked = chosen.asked(preset, **given)
    with progress_bar(quiet) as bar:
        shown = _Shown(bar)
        report = train_model(
            chosen,
            pool,
            out,
            asked,
            start_from=start_from,
            resume=resume,
            prepared=shown.prepared,
            progress=shown.progress,
        )
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print_report(report)


def print_report(report: "TrainReport") -> None:
    """Print what a training came to: notes, figures, how true the exported model is, files."""
    for note in report.notes:
        print(note)
    print(f"{report.amount()}, {report.learned_parameters} learned parameters, {report.elapsed_s:.0f} s")
    for table in report.tables():
        print_table(table.head, table.rows)
    for remark in report.remarks():
        print(remark)
    print(f"Keras and onnxruntime agree to {report.export_difference:.1e}")
    for path in report.files:
        print(path)


class _Shown:
    """What a training tells, on a progress bar."""

    def __init__(self, bar: "Progress") -> None:
        self.bar = bar
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
            told = "; ".join(f"{name}: {value.brief()}" for name, value in state.validations.items())
            self.bar.console.print(f"epoch {state.epoch}: {told}", highlight=False)


def _refuse_foreign(approach: Approach, given: dict[str, Any]) -> None:
    """Refuse the options that the settings of an approach do not have."""
    foreign = [name for name in given if name not in approach.setting_names]
    if foreign:
        option = "--from" if foreign[0] == _START else f"--{foreign[0].replace('_', '-')}"
        owners = " or ".join(one.name for one in _having(foreign[0]))
        raise typer.BadParameter(f"{option} goes with --approach {owners} only, not with {approach.name}")


def _having(name: str) -> list[Approach]:
    return [one for one in APPROACHES.values() if name in one.setting_names]


def _options() -> list[inspect.Parameter]:
    """Return an option for each setting of the approaches, in their order."""
    found: dict[str, inspect.Parameter] = {}
    for approach in APPROACHES.values():
        for setting in fields(approach.settings):
            told = option_of(setting)
            if told is not None and setting.name not in found:
                found[setting.name] = _option(setting, told)
    return list(found.values())


def _option(setting: "Field[Any]", told: TrainOption) -> inspect.Parameter:
    """Return the option of a setting; where approaches differ in it, its default is told and not given."""
    having = _having(setting.name)
    chosen = {one.name: _chosen(one, setting.name, told.unsaid) for one in having}
    defaults = {getattr(one.settings, setting.name) for one in having}
    alike = len(having) == len(APPROACHES) and len(defaults) == 1
    default = defaults.pop() if alike else None
    kind: Any = Literal[told.one_of] if told.one_of else setting.type
    if kind == tuple[str, ...] | None:
        # What may be given several times, in the words of Typer.
        kind = list[str] | None
    shown = None if default is not None else "; ".join(f"{name}: {text}" for name, text in chosen.items())
    among = "" if len(having) == len(APPROACHES) else f" ({', '.join(chosen)})"
    option = typer.Option(
        help=f"{told.help.removesuffix('.')}{among}.",
        metavar=told.metavar,
        min=told.least,
        max=told.most,
        show_default=True if shown is None else shown,
    )
    annotation: Any = Annotated[kind if default is not None else kind | None, option]
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _chosen(approach: Approach, name: str, unsaid: str) -> str:
    """Return what the presets of an approach take where a setting is not given."""
    by_preset = {}
    for preset in approach.presets:
        settings = approach.asked(preset)
        value = getattr(settings, f"chosen_{name}", getattr(settings, name))
        by_preset[preset] = (
            unsaid if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        )
    if len(set(by_preset.values())) == 1:
        return next(iter(by_preset.values()))
    return ", ".join(f"{preset} {text}" for preset, text in by_preset.items())


def _signature() -> inspect.Signature:
    """Return the signature of `train` with its settings one by one."""
    given = inspect.signature(train).parameters.values()
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in given]
    first = next(place for place, one in enumerate(own) if one.name == "resume")
    return inspect.Signature([*own[:first], *_options(), *own[first:-1]])


# Typer makes the options of it.
train.__signature__ = _signature()  # type: ignore[attr-defined]
