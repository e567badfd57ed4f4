"""The options of the engine are the same for `play`, `serve` and `render`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from stream.choosing.settings import PlannerSettings
from stream.engine.settings import EngineSettings
from stream.joins.settings import suited_rate_hz
from tools.commands.gathered import command_option, gathered
from tools.commands.idle import IdleOptions
from tools.commands.options import Model


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """The engine that was asked for."""

    settings: EngineSettings
    rate_given: bool
    """Whether its rate was asked for; else that of a sound card is as good."""
    begins_anew: bool
    """Whether it was said how the stream begins, by a seed or a song."""

    def suited(self, rate_hz: int | None) -> EngineSettings:
        """Return the settings, at a rate that suits an output where no other was asked for."""
        if self.rate_given or rate_hz is None:
            return self.settings
        return replace(self.settings, engine_rate_hz=suited_rate_hz(rate_hz))


_SeedOption = typer.Option(min=0, help="The same seed begins alike.", show_default="a new one each time")
_OPTIONS = [
    command_option("model", Model, EngineSettings.model),
    command_option(
        "strategy",
        Annotated[
            Literal["model", "random", "natural"],
            typer.Option(help="What follows: the model's choice, any chunk, or what follows in the song."),
        ],
        PlannerSettings.strategy,
    ),
    command_option(
        "walk",
        Annotated[
            bool,
            typer.Option(
                "--walk",
                help="Go from bucket to bucket, as the model's reference songs do, and round again.",
            ),
        ],
        PlannerSettings.walk,
    ),
    command_option(
        "whole_songs",
        Annotated[
            bool,
            typer.Option("--whole-songs", help="Play songs whole, but for seconds at either end."),
        ],
        PlannerSettings.whole_songs,
    ),
    command_option(
        "other_songs",
        Annotated[
            float, typer.Option(min=0.0, max=1.0, help="Share of the phrases that end in another song.")
        ],
        PlannerSettings.other_songs,
    ),
    command_option(
        "min_phrase_bars",
        Annotated[
            int, typer.Option(min=0, help="Bars that a song goes on for at least, where its beat is known.")
        ],
        PlannerSettings.min_phrase_bars,
    ),
    command_option(
        "min_phrase_s",
        Annotated[
            float,
            typer.Option(min=0.0, help="The same where it is not known, in seconds; 0 for no least length."),
        ],
        PlannerSettings.min_phrase_s,
    ),
    command_option(
        "max_phrase_s",
        Annotated[float, typer.Option(min=0.0, help="Seconds that a phrase lasts at most.")],
        PlannerSettings.max_phrase_s,
    ),
    command_option(
        "fade_s",
        Annotated[
            float,
            typer.Option(
                min=0.0,
                help="Longest splice or short blend, in seconds; other joins are as long as their kind.",
            ),
        ],
        EngineSettings.fade_s,
    ),
    command_option(
        "loudness_lufs",
        Annotated[
            float,
            typer.Option(min=-40.0, max=0.0, help="Loudness that each song is brought to, in LUFS."),
        ],
        EngineSettings.target_lufs,
    ),
    command_option(
        "keep_loudness",
        Annotated[bool, typer.Option("--keep-loudness", help="Leave each song as loud as it is.")],
        False,
    ),
    command_option(
        "start",
        Annotated[
            str | None,
            typer.Option(
                metavar="SONG",
                help="First song: its name in `endlos pool info`, its path, or its file's name.",
            ),
        ],
        EngineSettings.start_song,
    ),
    command_option(
        "towards",
        Annotated[
            str | None,
            typer.Option(metavar="SONG", help="Song to reach by good joins, named as for --start."),
        ],
        EngineSettings.towards,
    ),
    command_option(
        "within_min",
        Annotated[
            float | None,
            typer.Option(
                min=0.0,
                help="Minutes of music within which --towards reaches its song.",
                show_default="within a few phrases",
            ),
        ],
        EngineSettings.within_s,
    ),
    command_option(
        "simulate_slow_ms",
        Annotated[
            float,
            typer.Option(min=0.0, help="Make each decision take this much longer, to see what happens."),
        ],
        EngineSettings.simulate_slow_ms,
    ),
]

ENGINE_NAMES = ("seed", "rate", *(option.name for option in _OPTIONS))
"""Of all options of the engine, as parameters of a command."""
_PHRASE_NAMES = ("other_songs", "min_phrase_bars", "min_phrase_s", "max_phrase_s")


def idle_engine_options(engine: EngineChoice) -> Sequence[IdleOptions]:
    """Return which options of the engine do nothing, beside which others."""
    planner = engine.settings.planner
    return (
        IdleOptions(
            names=_PHRASE_NAMES, where=planner.whole_songs, why="with --whole-songs, which has no phrases"
        ),
        IdleOptions(
            names=_PHRASE_NAMES,
            where=planner.strategy != "model",
            why=f"with --strategy {planner.strategy}, which has no phrases",
        ),
        IdleOptions(
            names=("loudness_lufs",),
            where=engine.settings.target_lufs is None,
            why="with --keep-loudness, which leaves each song as loud as it is",
        ),
        IdleOptions(
            names=("min_phrase_bars",),
            where=planner.min_phrase_s == 0.0,
            why="with --min-phrase-s 0, which is for no least length",
        ),
    )


def engine_options(*, live: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator: the command takes the options of the engine and gets `engine`, an `EngineChoice`.

    live: without a seed each stream is another one, and a sound card may say the rate.
    """
    seed = (
        command_option("seed", Annotated[int | None, _SeedOption], None)
        if live
        else command_option(
            "seed",
            Annotated[int, typer.Option(min=0, help="The same seed gives the same stream.")],
            PlannerSettings.seed,
        )
    )
    card = ", or the sound card's own" if live else ""
    rate = command_option(
        "rate",
        Annotated[
            int | None,
            typer.Option(
                help="Sample rate in Hz: 44100 or 48000.",
                show_default=f"{EngineSettings.engine_rate_hz}{card}",
            ),
        ],
        None,
    )
    return gathered("engine", [*_OPTIONS[:2], seed, rate, *_OPTIONS[2:]], _choose)


def _choose(
    *,
    model: Path | None,
    strategy: Literal["model", "random", "natural"],
    seed: int | None,
    walk: bool,
    whole_songs: bool,
    other_songs: float,
    min_phrase_bars: int,
    min_phrase_s: float,
    max_phrase_s: float,
    rate: int | None,
    fade_s: float,
    loudness_lufs: float,
    keep_loudness: bool,
    start: str | None,
    towards: str | None,
    within_min: float | None,
    simulate_slow_ms: float,
) -> EngineChoice:
    from model.saved.carried import chosen_model

    return EngineChoice(
        settings=EngineSettings(
            planner=PlannerSettings(
                strategy=strategy,
                seed=_new_seed() if seed is None else seed,
                walk=walk,
                whole_songs=whole_songs,
                other_songs=other_songs,
                min_phrase_bars=min_phrase_bars,
                min_phrase_s=min_phrase_s,
                max_phrase_s=max_phrase_s,
            ),
            model=chosen_model(model),
            engine_rate_hz=EngineSettings.engine_rate_hz if rate is None else rate,
            fade_s=fade_s,
            target_lufs=None if keep_loudness else loudness_lufs,
            start_song=start,
            towards=towards,
            within_s=None if within_min is None else 60.0 * within_min,
            simulate_slow_ms=simulate_slow_ms,
        ),
        rate_given=rate is not None,
        begins_anew=seed is not None or start is not None,
    )


def _new_seed() -> int:
    import secrets

    return secrets.randbelow(2**31)
