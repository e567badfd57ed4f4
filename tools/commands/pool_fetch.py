"""The command `endlos pool fetch` brings the songs of a Subsonic server here, to build a pool of them."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tools.commands.options import Exclude, Include, MusicRoot, Where, selection_of
from tools.terminal import AsJson, Quiet, plural, print_json, printable, progress_bar


def fetch_songs(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the server: https://music.example.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the songs (made if missing).")],
    user: Annotated[str, typer.Option(metavar="NAME", help="User of the server.")],
    password_file: Annotated[
        Path, typer.Option(metavar="FILE", help="File whose first line is the user's password.")
    ],
    playlist: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this playlist (several may be given).", show_default="all"),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    where: Where = None,
    music_root: MusicRoot = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fetch songs of a Subsonic server (Navidrome, Gonic, Airsonic), as it has them.

    What is there already, or stands under --music-root, is not fetched again; nothing is changed on the
    server. Its playlists are written as M3U8, which `endlos pool build` takes. Exit 1 when a song could not
    be had; the next call tries it again.
    """
    from stream.outputs.secrets import first_line
    from tools.library.fetching import fetch_library
    from tools.library.subsonic import SubsonicServer

    password = first_line(password_file.expanduser(), "password")
    server = SubsonicServer(url=url, user=user, password=password)
    with progress_bar(quiet) as bar:
        task = bar.add_task("asking what there is", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=printable(what))

        report = fetch_library(
            server,
            out.expanduser().absolute(),
            playlists=playlist or (),
            selection=selection_of(include, exclude, where, music_root),
            tell=tell,
        )
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print(
            f"{plural(report.songs, 'song')}: {report.downloaded} fetched "
            f"({report.downloaded_bytes / 1e6:.1f} MB)"
        )
        for path in report.playlists:
            print(path)
    for failure in () if as_json else report.failed:
        print(f"failed: {printable(failure)}", file=sys.stderr)
    if report.failed:
        print(
            f"endlos: {plural(len(report.failed), 'song')} could not be fetched; "
            "the same command tries them again",
            file=sys.stderr,
        )
        raise typer.Exit(1)
