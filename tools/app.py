"""The app lists the commands of `endlos`, and runs the one that a line names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tools.commands import (
    beats,
    bench,
    compose,
    config,
    ctl,
    demo,
    evaluate,
    joins,
    machine,
    play,
    pool,
    precompute,
    render,
    serve,
    study,
    train,
)
from tools.commands.output_options import OutputCommand
from tools.config.file import CONFIG_VARIABLE, SYSTEM_CONFIG
from tools.config.start import CONFIG_OPTION, configured
from tools.terminal import DEBUG

app = typer.Typer(
    name="endlos",
    help="An endless, seamless stream from your own music.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: drawing it with rich costs more time than all the rest of `--help`.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo-songs")(demo.demo_songs)
app.add_typer(pool.pool_app, name="pool")
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("joins")(joins.joins)
app.command("beats")(beats.judge_tracking)
app.command("study")(study.study_music)
app.command("precompute")(precompute.precompute)
app.command("render")(render.render)
app.command("compose")(compose.compose)
app.command("play", cls=OutputCommand)(play.play)
app.command("serve", cls=OutputCommand)(serve.serve)
app.add_typer(ctl.ctl_app, name="ctl")
app.command("bench")(bench.bench)
app.command("devices")(machine.devices)
app.command("doctor")(machine.doctor)
app.command("config", context_settings=config.CONFIG_SETTINGS)(config.config)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"endlos {version('endlos')}")
        raise typer.Exit


@app.callback()
def endlos(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    config_file: Annotated[
        Path | None,
        typer.Option(
            CONFIG_OPTION,
            metavar="FILE",
            help="Read options from this TOML file (`endlos config --example`); may stand anywhere.",
            show_default=f"that of the variable {CONFIG_VARIABLE}, the user's, or {SYSTEM_CONFIG}",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    """An endless, seamless stream from your own music."""


def run_line(words: Sequence[str]) -> None:
    """Run what a command line says, and raise `SystemExit` at its end."""
    options, rest = _options_and_rest(words)
    command = typer.main.get_command(app)
    _leave_files_to(command)
    with configured(command, [*(word for word in options if word != DEBUG), *rest]) as line:
        # Each option has its variable by then. A prefix that Click knows would add others to it, and one for
        # every --help: a machine whose ENDLOS_HELP is set would never play.
        command(args=line.words, prog_name="endlos", default_map=line.defaults)


def _leave_files_to(command: Any) -> None:
    """Have a command, and those below it, say that a file cannot be read as they say all else of it.

    Click, which Typer asks to look, would call the line wrong: 2 and not 1, with the usage and no remedy.
    """
    for parameter in command.params:
        # Until Typer 0.28 the type looks, then what was declared.
        described = getattr(parameter, "type_descriptor", None)
        looks = parameter.type if described is None else described.parameter_info
        if hasattr(looks, "readable"):
            looks.readable = False
    for below in getattr(command, "commands", {}).values():
        _leave_files_to(below)


def wants_traceback(words: Sequence[str]) -> bool:
    """Whether a line asks for the traceback of an error.

    Who wants it has the failed line at hand and appends to it, so it may stand anywhere.
    """
    return DEBUG in _options_and_rest(words)[0]


def _options_and_rest(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end:]
