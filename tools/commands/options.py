"""Shared options have the same name, limits and words in every command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tools.commands.idle import was_typed

if TYPE_CHECKING:
    from tools.library.selection import MusicSelection

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
        help="Write every decision there, as JSON lines that `endlos render --replay` plays; "
        "a log that is there is kept under the time of its last line.",
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
Bits = Annotated[
    int | None,
    typer.Option(help="Sample width of .wav and .flac: 16 or 24.", show_default="24"),
]
Bitrate = Annotated[
    int | None,
    typer.Option(
        min=16,
        max=512,
        help="Bit rate in kbit/s; of .mp3 one that MP3 has: 32 to 320.",
        show_default=".mp3, .ogg: 192; .opus: 128",
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
Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Take only what is named so: '*.flac', or 'Jazz/*' with its folders (several: any of them).",
        show_default="everything",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave out what is named so, such as 'Audiobooks' or '*/live/*'.",
        show_default="nothing",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TAG=VALUE",
        help="Take only what is tagged so: genre=house, year=199* (of a tag any value, of several each).",
        show_default="everything",
    ),
]
MusicRoot = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Folder in which files that a playlist or a library names are looked for, too.",
        show_default="its own",
    ),
]


def selection_of(include: Include, exclude: Exclude, where: Where, music_root: MusicRoot) -> "MusicSelection":
    """Return what is chosen by these options."""
    from tools.library.selection import MusicSelection

    return MusicSelection(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        where=tuple(where or ()),
        roots=tuple(root.expanduser() for root in music_root or ()),
    )


def asked_encoding(
    context: typer.Context, out: Path, bits: int | None, bitrate: int | None
) -> tuple[int | None, int | None]:
    """Return the bits and the bit rate that a file is to be written with, None for its own.

    `OutputError` where it can be none, also for what was typed and it cannot have. What a variable or the
    configuration file says is for many files, and is left out where one cannot have it.
    """
    from stream.outputs.audio_file import has_bits, require_audio_file

    if has_bits(out):
        bitrate = bitrate if was_typed(context, "bitrate") else None
    else:
        bits = bits if was_typed(context, "bits") else None
    require_audio_file(out, bits, bitrate)
    return bits, bitrate
