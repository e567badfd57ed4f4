"""The settings of a live stream are put together alike for `play` and `serve`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tools.commands.engine_options import EngineChoice, idle_engine_options
from tools.commands.idle import IdleOptions, refuse_idle
from tools.commands.output_options import OutputChoice, idle_output_options

if TYPE_CHECKING:
    from stream.outputs.place import Place
    from tools.running.live import LiveSettings


def live_settings(
    context: typer.Context,
    engine: EngineChoice,
    outputs: OutputChoice,
    places: "Sequence[Place]",
    *,
    source: tuple[str, Path | None],
    log: Path | None,
    watch: bool | None,
    resume: bool,
    quiet: bool,
    card: bool = False,
) -> "LiveSettings":
    """Return the settings of what was chosen, with the engine at a rate that suits the outputs.

    context: of the command, whose typed options all have to do something. source: what the command calls it,
    and what was given. card: whether a card would be played on by itself. Raises `EndlosError` where an
    output cannot ever work, or would write over what is read.
    """
    from stream.outputs.settings import OutputSettings
    from tools.running.live import LiveSettings

    settings = OutputSettings(places=places)
    outputs.refuse_overwriting(settings, log, source, engine.settings.model)
    refuse_idle(
        context,
        *idle_engine_options(engine),
        *idle_output_options(places, card=card or outputs.device is not None),
        IdleOptions(
            names=("resume",),
            where=resume and engine.begins_anew,
            why="beside --seed or --start, which begin anew",
        ),
        IdleOptions(
            names=("watch",),
            where=bool(watch) and source[1] is None,
            why="of the demo songs, which stay as they are",
        ),
    )
    settings.require()
    return LiveSettings(
        engine=engine.suited(settings.rate_hz()),
        outputs=settings,
        log=log,
        watch=watch,
        resume=resume and not engine.begins_anew,
        quiet=quiet,
    )
