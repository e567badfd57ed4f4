"""The command `endlos demo-songs` writes royalty-free tracks made by the program."""

from pathlib import Path
from typing import Annotated

import typer

from tools.terminal import AsJson, Quiet, print_json, progress_bar


def demo_songs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them (made if missing).")],
    songs: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 3,
    seconds: Annotated[float, typer.Option(min=5, max=3600, help="Length of each, in seconds.")] = 120.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same songs.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make songs to try endlos with.

    House and lounge, stereo FLAC, free to use, no vocals.
    """
    from tools.demo.songs import write_demo_songs

    with progress_bar(quiet) as progress:
        task = progress.add_task("demo songs", total=songs)
        paths = write_demo_songs(
            folder.expanduser(),
            songs=songs,
            seconds=seconds,
            seed=seed,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        print_json({"songs": [str(path) for path in paths]})
    elif not quiet:
        for path in paths:
            print(path)
