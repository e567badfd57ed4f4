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
ChosenStrategy = Annotated[
    Literal["model", "random", "natural"],
    typer.Option(help="What follows: the model's choice, any chunk, or what follows in the song."),
]
LiveSeed = Annotated[
    int | None,
    typer.Option(min=0, help="The same seed begins alike.", show_default="a new one each time"),
]
Rate = Annotated[int, typer.Option(help="Sample rate in Hz: 44100 or 48000.")]
FadeS = Annotated[
    float,
    typer.Option(
        min=0.0, help="Longest crossfade, in seconds; where and how long each fades comes from the audio."
    ),
]
LoudnessLufs = Annotated[
    float, typer.Option(min=-40.0, max=0.0, help="Loudness that each song is brought to, in LUFS.")
]
LatencyOption = Annotated[
    str | None,
    typer.Option(
        metavar="low|high|auto|measure|SECONDS",
        help="What the sound card holds in advance. `auto` is measured once for each card, "
        "`measure` measures anew.",
        show_default="0.1",
    ),
]
BlockFrames = Annotated[
    int | None,
    typer.Option(metavar="FRAMES", help="What the sound card takes at once.", show_default="256"),
]
LiveLog = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write every decision there, as JSON lines that `endlos render --replay` plays.",
    ),
]
SimulateSlowMs = Annotated[
    float, typer.Option(min=0.0, help="Make each decision take this much longer, to see what happens.")
]
OtherSongs = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of the joins that lead to another song.")
]
MinPhraseBars = Annotated[
    int, typer.Option(min=0, help="Bars that a song goes on for at least, where its beat is known.")
]
MinPhraseS = Annotated[
    float, typer.Option(min=0.0, help="The same where it is not known, in seconds; 0 for no least length.")
]
MaxPhraseS = Annotated[float, typer.Option(min=0.0, help="Seconds that a song goes on for at most.")]
