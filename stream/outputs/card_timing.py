"""The timing of a sound card says what it holds in advance and what it takes at once."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from model.base.errors import EndlosError, OutputError
from stream.outputs.devices import OutputDevice

MAX_BLOCK_FRAMES = 8192
MIN_LATENCY_S, MAX_LATENCY_S = 0.002, 2.0
HELD_TIMES = 1.4
"""How much more than its latency a card takes at once when it starts.

PortAudio adds a period, up to a quarter, and a sound server draws on that at once: with PulseAudio it is 1.26
to 1.39 in all.
"""

Latency = Literal["low", "high"] | float
WantedLatency = Latency | Literal["auto", "measure"]
"""`auto`: measured once for each card; `measure`: measured anew."""
_WORDS: tuple[Literal["low", "high", "auto", "measure"], ...] = ("low", "high", "auto", "measure")


@dataclass(frozen=True, kw_only=True)
class CardTiming:
    """How a sound card is driven."""

    latency_s: Latency = 0.1
    """What it is asked to hold; or what the device itself calls low or high."""
    block_frames: int = 256
    """What it takes at once; 0 leaves it to PortAudio."""

    def __post_init__(self) -> None:
        require_latency(self.latency_s)
        require_block(self.block_frames)

    def held_s(self, device: OutputDevice) -> float:
        """Return how much a device takes at once when it starts."""
        words = {"low": device.low_latency_s, "high": device.high_latency_s}
        return HELD_TIMES * (words[self.latency_s] if isinstance(self.latency_s, str) else self.latency_s)


class MeasureCard(Protocol):
    """Finds out what a sound card needs; made by whoever can wait for it."""

    def __call__(self, device: str | int | None, *, anew: bool) -> CardTiming:
        """Return the timing of a device, from before unless `anew`; `OutputError` when there is none such."""


def require_latency(latency: WantedLatency) -> None:
    """Refuse (`OutputError`) a latency that no one can mean."""
    if isinstance(latency, str) or MIN_LATENCY_S <= latency <= MAX_LATENCY_S:
        return
    raise OutputError(
        f"a latency of {latency:g} s does not work; give {MIN_LATENCY_S} to {MAX_LATENCY_S:g} seconds"
    )


def require_block(block_frames: int) -> None:
    """Refuse (`OutputError`) a block that does not work."""
    if not 0 <= block_frames <= MAX_BLOCK_FRAMES:
        raise OutputError(
            f"blocks of {block_frames} frames do not work; give the sound card 0 (automatic) "
            f"to {MAX_BLOCK_FRAMES}"
        )


def parse_latency(text: str | None) -> WantedLatency:
    """Read what `--latency` takes; `EndlosError` on anything else."""
    if text is None:
        return CardTiming.latency_s
    for word in _WORDS:
        if text == word:
            return word
    with suppress(ValueError):
        seconds = float(text)
        if MIN_LATENCY_S <= seconds <= MAX_LATENCY_S:
            return seconds
    raise EndlosError(
        f"{text!r} is no latency; expected low, high, auto, measure, "
        f"or seconds from {MIN_LATENCY_S} to {MAX_LATENCY_S:.0f}"
    )
