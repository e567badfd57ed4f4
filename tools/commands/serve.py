"""The command `endlos serve` sends one stream to any number of outputs at once."""

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
def serve(
    context: typer.Context,
    engine: EngineChoice,
    outputs: OutputChoice,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POOL|MUSIC]",
            help="A pool, a folder of music, or a playlist.",
            show_default="demo songs that endlos makes",
        ),
    ] = None,
    log: LiveLog = None,
    watch: Watch = None,
    resume: Resume = True,
    quiet: Quiet = False,
    log_format: LogLines = "text",
) -> None:
    """Serve without end.

    To any number of outputs at once, at http://127.0.0.1:8000/ where none is given; until SIGTERM or Ctrl-C.
    """
    from stream.outputs.kinds.http import HttpSettings
    from tools.running.logs import service_log
    from tools.running.serving import serve_source

    with service_log(log_format, quiet=quiet):
        settings = live_settings(
            context,
            engine,
            outputs,
            outputs.places() or [HttpSettings()],
            source=("POOL", source),
            log=log,
            watch=watch,
            resume=resume,
            quiet=quiet,
        )
        serve_source(source, settings)
