"""The settings of the outputs are all places where a stream is to be heard, no two of which are one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.base.errors import OutputError
from stream.outputs.card_timing import MeasureCard
from stream.outputs.place import Place


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Where the stream is to be heard; at least one place."""

    places: Sequence[Place]

    def __post_init__(self) -> None:
        if not self.places:
            raise OutputError(
                "the stream goes nowhere; give --output, or one of --http, --icecast and --device"
            )
        taken = Counter(what for place in self.places for what in place.takes())
        for what, times in taken.items():
            if times > 1:
                raise OutputError(f"{what} is asked for {times} times; give each output and each codec once")

    @property
    def card_paced(self) -> bool:
        """Whether a place with a clock of its own paces the stream."""
        return any(place.paces for place in self.places)

    def require(self) -> None:
        """Raise what can be said before any music is prepared: no such sound card, a port in use."""
        for place in self.places:
            place.require()

    def rate_hz(self) -> int | None:
        """Return the engine's rate that suits the places best; None: any."""
        return next((rate for place in self.places if (rate := place.rate_hz()) is not None), None)

    def measured(self, measure: MeasureCard) -> "OutputSettings":
        """Return the same with all that had to be measured on this machine first."""
        return replace(self, places=[place.measured(measure) for place in self.places])
