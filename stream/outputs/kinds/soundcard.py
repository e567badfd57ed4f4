"""The sound card output plays on a device of this machine, whose clock then paces the stream."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.base.errors import OutputError
from stream.outputs.card import SoundCard
from stream.outputs.card_timing import (
    CardTiming,
    MeasureCard,
    WantedLatency,
    parse_latency,
    require_block,
    require_latency,
)
from stream.outputs.devices import find_device, parse_device
from stream.outputs.output import LOWEST_VOLUME_DB
from stream.outputs.place import OutputKind, OutputUri, Place, Tap

_FORM = "device:[NAME][?latency=auto&block=256&volume=-6]"


@dataclass(frozen=True, kw_only=True)
class SoundCardSettings(Place):
    """Which sound card to play on, and how it is driven."""

    device: str | int | None = None
    """Part of its name, or its number; None is the default one."""
    latency: WantedLatency = CardTiming.latency_s
    block_frames: int | None = None
    """None: as it was measured, or else `CardTiming`'s."""
    volume_db: float = 0.0

    paces = True

    def __post_init__(self) -> None:
        require_latency(self.latency)
        if self.block_frames is not None:
            require_block(self.block_frames)
        if not LOWEST_VOLUME_DB <= self.volume_db <= 0.0:
            raise OutputError(f"the volume is {self.volume_db:g} dB; give {LOWEST_VOLUME_DB:g} to 0")

    def open(self, tap: Tap) -> Sequence["SoundCard"]:
        """Return the card; what was to be measured has to be by now."""
        if self.latency == "auto" or self.latency == "measure":
            raise OutputError("the latency of the sound card was not measured; give it in seconds")
        timing = CardTiming(latency_s=self.latency)
        if self.block_frames is not None:
            timing = replace(timing, block_frames=self.block_frames)
        card = SoundCard(self.device, tap.engine_rate_hz, timing)
        card.volume_db = self.volume_db
        return [card]

    def takes(self) -> Sequence[str]:
        """Return the one card that there can be: PortAudio is started anew when it is gone."""
        return ["the sound card"]

    def require(self) -> None:
        """Refuse a device that is not there."""
        find_device(self.device)

    def rate_hz(self) -> int:
        """Return the device's own rate, which some systems take alone."""
        return round(find_device(self.device).default_rate_hz)

    def measured(self, measure: MeasureCard) -> "SoundCardSettings":
        """Return the same with a latency in seconds."""
        if self.latency != "auto" and self.latency != "measure":
            return self
        timing = measure(self.device, anew=self.latency == "measure")
        block_frames = timing.block_frames if self.block_frames is None else self.block_frames
        return replace(self, latency=timing.latency_s, block_frames=block_frames)


def card_from_uri(uri: OutputUri) -> SoundCardSettings:
    """Read `device:[NAME][?latency=L&block=FRAMES&volume=DB]`; `EndlosError` on anything else."""
    options = uri.options("latency", "block", "volume")
    volume_db = options.number("volume")
    return SoundCardSettings(
        device=parse_device(uri.rest or None),
        latency=parse_latency(options.text("latency")),
        block_frames=options.whole("block"),
        volume_db=SoundCardSettings.volume_db if volume_db is None else volume_db,
    )


SOUND_CARD_KIND = OutputKind(
    scheme="device",
    form=_FORM,
    summary="a sound card: number, part of the name, or nothing for the default one",
    from_uri=card_from_uri,
)
