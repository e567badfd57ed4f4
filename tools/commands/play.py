"""The command `endlos play` plays on the sound card if there is one, else over HTTP on this machine."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tools.commands.engine_options import EngineChoice, engine_options
from tools.commands.live_settings import live_settings
from tools.commands.options import LiveLog, LogLines, Resume, Watch
from tools.commands.output_options import OutputChoice, output_options
from tools.terminal import Quiet


@engine_options(live=True)
@output_options
def play(
    context: typer.Context,
    engine: EngineChoice,
    outputs: OutputChoice,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MUSIC|POOL]",
            help="Folder of music, one song, a playlist, or a pool.",
            show_default="demo songs that endlos makes",
        ),
    ] = None,
    log: LiveLog = None,
    watch: Watch = None,
    resume: Resume = False,
    quiet: Quiet = False,
    log_format: LogLines = "text",
) -> None:
    """Play without end.

    Keys: space pause, n next, l and d like or dislike the last join (a disliked one never comes back; the
    music goes on, n leaves it), + - volume, q quit. Sounds as soon as the first songs are analysed; the
    others join while it plays. Plays on the sound card, unless other outputs are given; without a sound card
    it serves http://127.0.0.1:8000/ and says so.
    """
    from tools.running.logs import service_log
    from tools.running.playing import DefaultPlace, play_source
    from tools.running.status_line import LoggedStatus, StatusLine

    with ExitStack() as opened:
        line = StatusLine(quiet)
        if log_format == "json":
            opened.enter_context(service_log(log_format, quiet=quiet))
            line = LoggedStatus(quiet)
        places = outputs.places()
        default = None if places else DefaultPlace.find(outputs.card())
        settings = live_settings(
            context,
            engine,
            outputs,
            places if default is None else [default.place],
            source=("MUSIC", source),
            log=log,
            watch=watch,
            resume=resume,
            quiet=quiet,
            card=default is not None,
        )
        play_source(source, settings, line, "" if default is None else default.why)
