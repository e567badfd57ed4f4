"""The options of the outputs are the same for `play` and `serve`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from stream.outputs.card_timing import CardTiming
from tools.commands.gathered import command_option, gathered
from tools.commands.idle import IdleOptions
from tools.commands.options import Force
from tools.config.addresses import address_password

if TYPE_CHECKING:
    from stream.outputs.kinds.soundcard import SoundCardSettings
    from stream.outputs.place import Place
    from stream.outputs.settings import OutputSettings


@dataclass(frozen=True, kw_only=True)
class OutputChoice:
    """The outputs that were asked for, as they were typed."""

    output: Sequence[str]
    http: str | None
    codec: Sequence[str]
    icecast: Sequence[str]
    icecast_password_file: Path | None
    device: str | None
    volume_db: float | None
    latency: str | None
    block: int | None
    force: bool

    def places(self) -> "list[Place]":
        """Return where the stream is to go; empty where nothing was said of that. Raises `EndlosError`."""
        from dataclasses import replace

        from stream.outputs.address import HttpAddress, parse_address
        from stream.outputs.encoding.codecs import parse_codec
        from stream.outputs.kinds.http import HttpSettings
        from stream.outputs.registry import read_output
        from stream.outputs.secrets import forget_secrets, http_token

        file = self.icecast_password_file
        # Looked at in any case: what is wrong with its options is told also where it is not asked for.
        card = self.card()
        places: list[Place] = [card] if self.device is not None else []
        if self.http is not None or self.codec:
            at = HttpAddress() if self.http is None else parse_address(self.http)
            places.append(
                HttpSettings(
                    at=replace(at, token=http_token(None)),
                    codecs=tuple(map(parse_codec, self.codec)) or HttpSettings.codecs,
                )
            )
        places += [read_output(text, file, address_password(text)) for text in (*self.icecast, *self.output)]
        forget_secrets()
        return places

    def refuse_overwriting(
        self,
        settings: "OutputSettings",
        log: Path | None,
        source: "tuple[str, Path | None]",
        model: Path | None,
    ) -> None:
        """Raise `EndlosError` when an output or the log would write over what is read."""
        from tools.pools.overwriting import refuse_overwriting

        written = [(f"--output {path}", path) for place in settings.places if (path := place.writes())]
        read = [source, ("--model", model), ("--icecast-password-file", self.icecast_password_file)]
        refuse_overwriting([("--log", log), *written], read, force=self.force)

    def card(self) -> "SoundCardSettings":
        """Return the sound card of `--device`, else the default one, as the other options tell."""
        from stream.outputs.card_timing import parse_latency
        from stream.outputs.devices import parse_device
        from stream.outputs.kinds.soundcard import SoundCardSettings

        return SoundCardSettings(
            device=parse_device(self.device),
            latency=parse_latency(self.latency),
            block_frames=self.block,
            volume_db=SoundCardSettings.volume_db if self.volume_db is None else self.volume_db,
        )


_OPTIONS = [
    command_option(
        "output",
        Annotated[
            list[str] | None,
            typer.Option(metavar="URI", help="Where the stream goes, see below; repeatable."),
        ],
        None,
    ),
    command_option(
        "http",
        Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Short for --output http://HOST:PORT.")],
        None,
    ),
    command_option(
        "codec",
        Annotated[
            list[str] | None,
            typer.Option(
                help="What is served over HTTP: mp3, opus, vorbis, aac or flac; repeatable.",
                show_default="mp3",
            ),
        ],
        None,
    ),
    command_option(
        "icecast",
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="URL",
                help="Short for --output icecast://[user@]host:port/mount[?format=opus&bitrate=96]; "
                "repeatable.",
            ),
        ],
        None,
    ),
    command_option(
        "icecast_password_file",
        Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                help="Its first line is the source password.",
                show_default="the variable ENDLOS_ICECAST_PASSWORD",
            ),
        ],
        None,
    ),
    command_option(
        "device",
        Annotated[
            str | None,
            typer.Option(
                metavar="D",
                help="Short for --output device:D: number or part of the name of a sound card, as "
                "`endlos devices` lists it, or `default`.",
            ),
        ],
        None,
    ),
    command_option(
        "volume_db",
        Annotated[
            float | None,
            typer.Option(
                min=-60.0, max=0.0, help="Volume of that card to begin with, in dB.", show_default="full"
            ),
        ],
        None,
    ),
    command_option(
        "latency",
        Annotated[
            str | None,
            typer.Option(
                metavar="low|high|auto|measure|SECONDS",
                help="What that card holds in advance. `auto` is measured once for each card, "
                "`measure` measures anew.",
                show_default=str(CardTiming.latency_s),
            ),
        ],
        None,
    ),
    command_option(
        "block",
        Annotated[
            int | None,
            typer.Option(
                metavar="FRAMES",
                help="What that card takes at once.",
                show_default=str(CardTiming.block_frames),
            ),
        ],
        None,
    ),
    command_option("force", Force, False),
]


def idle_output_options(places: "Sequence[Place]", *, card: bool) -> Sequence[IdleOptions]:
    """Return which options of the outputs do nothing where the stream goes to these places.

    card: whether one of them is a card that these options are about, or would be if there was one.
    """
    return (
        IdleOptions(
            names=("volume_db", "latency", "block"),
            where=not card,
            why="without --device; behind an --output stand options of its own (device:NAME?volume=-6)",
        ),
        IdleOptions(
            names=("icecast_password_file",),
            where=not any(place.takes_password for place in places),
            why="without an Icecast output",
        ),
    )


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command: it takes the options of the outputs and gets `outputs`, an `OutputChoice`."""
    return gathered("outputs", _OPTIONS, _choose)(command)


def _choose(
    *,
    output: Sequence[str] | None,
    http: str | None,
    codec: Sequence[str] | None,
    icecast: Sequence[str] | None,
    icecast_password_file: Path | None,
    device: str | None,
    volume_db: float | None,
    latency: str | None,
    block: int | None,
    force: bool,
) -> OutputChoice:
    return OutputChoice(
        output=output or (),
        http=http,
        codec=codec or (),
        icecast=icecast or (),
        icecast_password_file=icecast_password_file,
        device=device,
        volume_db=volume_db,
        latency=latency,
        block=block,
        force=force,
    )


class OutputCommand(TyperCommand):
    """A command whose help ends with the kinds of output, which are looked up only when it is asked for."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the kinds of output, as the registry lists them."""
        from stream.outputs.registry import KINDS

        with formatter.section("Outputs"):
            for kind in KINDS:
                formatter.write_text(f"{kind.form}")
                with formatter.indentation():
                    formatter.write_text(kind.summary)
