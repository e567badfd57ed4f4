"""The `endlos` command lists its commands, and turns an error into one sentence and an exit code."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

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
from tools.config.options import PREFIX
from tools.config.start import CONFIG_OPTION, configured
from tools.terminal import DEBUG
from tools.terminal import sentence as sentence

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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed (one sentence), 2 wrong usage, 128 + n by a signal."""
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
        with _signals_as_interrupts() as ended:
            command = typer.main.get_command(app)
            words = [word for word in options if word != DEBUG] + arguments[len(options) :]
            with configured(command, words) as line:
                command(
                    args=line.words, prog_name="endlos", default_map=line.defaults, auto_envvar_prefix=PREFIX
                )
    except SystemExit as exited:
        # As a shell tells of a command that a signal ended.
        sys.exit(128 + ended[0] if ended and exited.code else exited.code)
    except Exception as error:
        if debug:
            raise
        print(f"endlos: {sentence(error)}", file=sys.stderr)
        # What was interrupted may have had something to say: training names its checkpoint.
        interrupted = isinstance(error.__context__, KeyboardInterrupt)
        sys.exit(128 + (ended[0] if ended else signal.SIGINT) if interrupted else 1)


_AGAIN_S = 0.02
"""An interrupt that was swallowed comes again after this time."""


@contextmanager
def _signals_as_interrupts() -> Iterator[list[int]]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does: nothing half-written stays, a checkpoint is kept.

    Yields the signals that came. Commands that fade out take them over meanwhile (`tools.running.ending`).
    Python swallows an interrupt that falls into a finaliser, of which libraries have many: it comes again.
    """
    came: list[int] = []
    tell_unraisable = sys.unraisablehook

    def again(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Not from here, where it would be swallowed as well.
            again_soon = threading.Timer(_AGAIN_S, _thread.interrupt_main)
            again_soon.daemon = True
            again_soon.start()
        else:
            tell_unraisable(unraisable)

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        # Another one ends at once.
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What is ignored, as under nohup, stays so; and only the main thread may ask.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            with suppress(ValueError):
                before[number] = signal.signal(number, interrupt)
    sys.unraisablehook = again
    try:
        yield came
    finally:
        sys.unraisablehook = tell_unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


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


if __name__ == "__main__":
    main()
