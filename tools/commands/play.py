"""The command `endlos play` plays on the sound card if there is one, else over HTTP on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from tools.commands.options import BlockFrames, LatencyOption, LiveLog, LiveSeed, Model, SimulateSlowMs
from tools.terminal import Quiet


def play(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MUSIC|POOL]",
            help="Folder of music, one song, or a pool.",
            show_default="demo songs that endlos makes",
        ),
    ] = None,
    model: Model = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="D", help="Sound card: number or part of the name, as `endlos devices` lists it."
        ),
    ] = None,
    seed: LiveSeed = None,
    volume_db: Annotated[float, typer.Option(min=-60.0, max=0.0, help="Volume to begin with, in dB.")] = 0.0,
    latency: LatencyOption = None,
    block: BlockFrames = None,
    http: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve this address instead of playing on the sound card."),
    ] = None,
    log: LiveLog = None,
    simulate_slow_ms: SimulateSlowMs = 0.0,
    quiet: Quiet = False,
) -> None:
    """Play without end.

    Keys: space pause, n next, l and d like or dislike the last join (a disliked one never comes back; the
    music goes on, n leaves it), + - volume, q quit. Sounds as soon as the first songs are analysed; the
    others join while it plays. Without a sound card it serves
    http://127.0.0.1:8000/ and says so.
    """
    from model.saved.contract import chosen_model
    from tools.pools.overwriting import refuse_overwriting
    from tools.running.playing import PlaySettings, play_source

    refuse_overwriting((("--log", log),), (("MUSIC", source), ("--model", chosen_model(model))))
    play_source(
        source,
        PlaySettings(
            model=model,
            device=device,
            seed=seed,
            volume_db=volume_db,
            latency=latency,
            block_frames=block,
            http=http,
            log=log,
            simulate_slow_ms=simulate_slow_ms,
            quiet=quiet,
        ),
    )
