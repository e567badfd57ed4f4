"""The command `endlos serve` sends one stream to HTTP listeners, Icecast servers and a sound card."""

from pathlib import Path
from typing import Annotated

import typer

from tools.commands.options import (
    BlockFrames,
    ChosenStrategy,
    FadeS,
    LatencyOption,
    LiveLog,
    LiveSeed,
    LoudnessLufs,
    MaxPhraseS,
    MinPhraseBars,
    MinPhraseS,
    Model,
    OtherSongs,
    Rate,
    SimulateSlowMs,
)
from tools.terminal import Quiet


def serve(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POOL|MUSIC]",
            help="A pool, or a folder of music.",
            show_default="demo songs that endlos makes",
        ),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve a page and the stream there.",
            show_default="127.0.0.1:8000 where no other output is given",
        ),
    ] = None,
    codec: Annotated[
        list[str] | None,
        typer.Option(
            help="What is served over HTTP: mp3, opus, vorbis, aac or flac; repeatable.", show_default="mp3"
        ),
    ] = None,
    icecast: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Feed icecast://[user@]host:port/mount[?format=opus&bitrate=96]; repeatable.",
        ),
    ] = None,
    icecast_password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Its first line is the source password.",
            show_default="the variable ENDLOS_ICECAST_PASSWORD",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="D", help="Play on this sound card too: number, part of the name, or `default`."
        ),
    ] = None,
    latency: LatencyOption = None,
    block: BlockFrames = None,
    model: Model = None,
    strategy: ChosenStrategy = "model",
    seed: LiveSeed = None,
    other_songs: OtherSongs = 0.34,
    min_phrase_bars: MinPhraseBars = 8,
    min_phrase_s: MinPhraseS = 6.0,
    max_phrase_s: MaxPhraseS = 40.0,
    rate: Rate = 44_100,
    fade_s: FadeS = 1.5,
    loudness_lufs: LoudnessLufs = -16.0,
    log: LiveLog = None,
    simulate_slow_ms: SimulateSlowMs = 0.0,
    quiet: Quiet = False,
) -> None:
    """Serve without end.

    Over HTTP, to Icecast servers, on a sound card; until SIGTERM or Ctrl-C.
    """
    from model.saved.contract import chosen_model
    from stream.choosing.settings import PlannerSettings
    from stream.engine.settings import EngineSettings
    from stream.outputs.icecast import icecast_password, parse_icecast_url
    from stream.service.server import HttpAddress
    from stream.service.session import OutputSettings, new_seed, parse_address, parse_codec, parse_device
    from tools.pools.overwriting import refuse_overwriting
    from tools.running.serving import ServeSettings, serve_source

    refuse_overwriting(
        (("--log", log),),
        (
            ("POOL", source),
            ("--model", chosen_model(model)),
            ("--icecast-password-file", icecast_password_file),
        ),
    )
    # Only where it is needed: a password file that is not is no reason to fail.
    password = icecast_password(icecast_password_file) if icecast else None
    address = parse_address(http) if http is not None else None
    if address is None and not icecast and device is None:
        address = HttpAddress()
    outputs = OutputSettings(
        sound_card=device is not None,
        device=parse_device(device),
        http=address,
        codecs=tuple(parse_codec(name) for name in codec or ("mp3",)),
        icecast=tuple(parse_icecast_url(url, password) for url in icecast or ()),
    )
    engine = EngineSettings(
        planner=PlannerSettings(
            strategy=strategy,
            seed=new_seed() if seed is None else seed,
            other_songs=other_songs,
            min_phrase_bars=min_phrase_bars,
            min_phrase_s=min_phrase_s,
            max_phrase_s=max_phrase_s,
        ),
        model=chosen_model(model),
        engine_rate_hz=rate,
        fade_s=fade_s,
        target_lufs=loudness_lufs,
        simulate_slow_ms=simulate_slow_ms,
    )
    serve_source(
        source,
        ServeSettings(
            engine=engine, outputs=outputs, latency=latency, block_frames=block, log=log, quiet=quiet
        ),
    )
