"""The `endlos` command lists its commands, and turns an error into one sentence and an exit code."""

import errno
import os
import sys
from typing import Annotated

import typer

from model.base.errors import EndlosError
from tools.commands import bench, demo, evaluate, joins, machine, play, pool, precompute, render, serve, train
from tools.commands.output_options import OutputCommand

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
app.command("precompute")(precompute.precompute)
app.command("render")(render.render)
app.command("play", cls=OutputCommand)(play.play)
app.command("serve", cls=OutputCommand)(serve.serve)
app.command("bench")(bench.bench)
app.command("devices")(machine.devices)
app.command("doctor")(machine.doctor)

DEBUG = "--debug"


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
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    """An endless, seamless stream from your own music."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed (one sentence), 2 wrong usage, 130 Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Who wants the traceback has the failed line at hand and appends to it, so it may stand anywhere.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = DEBUG in options
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A song's title may hold what the terminal cannot show; that is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(
            args=[word for word in options if word != DEBUG] + arguments[len(options) :],
            prog_name="endlos",
        )
    except Exception as error:
        if debug:
            raise
        print(f"endlos: {sentence(error)}", file=sys.stderr)
        # What was interrupted may have had something to say: training names its checkpoint.
        interrupted = isinstance(error.__context__, KeyboardInterrupt)
        sys.exit(130 if interrupted else 1)


def _open_closed_streams() -> None:
    """Point standard streams that are closed, as some services start, at nothing.

    Else the next file that is opened gets such a number, and whatever is printed.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, so that it is this one.
            opened = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(opened, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def sentence(error: Exception) -> str:
    """Return what a user reads about `error`: what happened, and what to do."""
    if isinstance(error, EndlosError):
        return str(error)
    if isinstance(error, OSError):
        where = error.filename if error.filename is not None else "a file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"no room left on the disk for {where}; free some and run this again, what is done is kept"
        if isinstance(error, PermissionError):
            return f"no permission for {where}; choose a place that you may read and write"
        if error.strerror:
            return f"{where}: {error.strerror}"
    return (
        f"unexpected {type(error).__name__}: {error}; "
        f"this is a fault of endlos, {DEBUG} at the end of the same line shows where"
    )


if __name__ == "__main__":
    main()
