"""Shared options have the same name, limits and words in every command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="Folder of a model, or the name of one that endlos carries.",
        show_default="the best that endlos carries",
    ),
]
LiveLog = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write every decision there, as JSON lines that `endlos render --replay` plays.",
    ),
]
Watch = Annotated[
    bool | None,
    typer.Option(
        "--watch/--no-watch",
        help="Take songs up that are added, changed or removed while it plays.",
        show_default="for music, not for a pool",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--no-resume",
        help="Go on where the last stream of the pool stood, unless --seed or --start is given.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file also where endlos has not written it.")]
LogLines = Annotated[
    Literal["text", "json"],
    typer.Option("--log-format", help="Log on standard error for a person, or a JSON object a line."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Have the workers of the Dask scheduler there do it, such as tcp://192.0.2.1:8786.",
        show_default="this machine does it",
    ),
]
LocalCluster = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Start a scheduler and so many workers here for it, as a cluster would have them.",
        show_default="none",
    ),
]
