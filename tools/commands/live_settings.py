"""The settings of a live stream are put together alike for `play` and `serve`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tools.commands.engine_options import EngineChoice
from tools.commands.output_options import OutputChoice

if TYPE_CHECKING:
    from stream.outputs.place import Place
    from tools.running.live import LiveSettings


def live_settings(
    engine: EngineChoice,
    outputs: OutputChoice,
    places: "Sequence[Place]",
    *,
    source: tuple[str, Path | None],
    log: Path | None,
    watch: bool | None,
    resume: bool,
    quiet: bool,
) -> "LiveSettings":
    """Return the settings of what was chosen, with the engine at a rate that suits the outputs.

    source: what the command calls it, and what was given. Raises `EndlosError` where an output cannot ever
    work, or would write over what is read.
    """
    from stream.outputs.settings import OutputSettings
    from tools.running.live import LiveSettings

    settings = OutputSettings(places=places)
    outputs.refuse_overwriting(settings, log, source, engine.settings.model)
    settings.require()
    return LiveSettings(
        engine=engine.suited(settings.rate_hz()),
        outputs=settings,
        log=log,
        watch=watch,
        resume=resume and not engine.begins_anew,
        quiet=quiet,
    )
