"""The health check says whether audible sound leaves every output that was asked for.

A stream that somebody has paused is not ill: for as long as it stands still, and until it has had the time
to be heard again, an output only has to hand on its silence. One that is gone is ill in a pause, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream.outputs.output import OutputStatus

AWAY_S = 10.0
"""How long an output may be away, or silent, before it is ill: a server that starts again takes less."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the stream is, for whoever would start endlos again or wake somebody up."""

    paused: bool
    away: Mapping[str, str]
    """The outputs that nothing is heard of, by name, and why."""
    silent_s: Mapping[str, float | None]
    """How long ago each output handed on audible sound; None: never."""

    @property
    def well(self) -> bool:
        """Whether the stream is heard wherever it is meant to be heard."""
        return bool(self.silent_s) and not self.away

    def as_json(self) -> dict[str, object]:
        """Return what `/health` says."""
        return {
            "healthy": self.well,
            "paused": self.paused,
            "away": dict(self.away),
            "seconds_since_sound": dict(self.silent_s),
        }


def health_of(statuses: Sequence[OutputStatus], since_pause_s: float | None) -> Health:
    """Return how the stream is.

    statuses: of every output that was asked for. since_pause_s: how long ago the stream stood still on
    purpose, 0 while it does; None: it never did.
    """
    resting = since_pause_s is not None and since_pause_s < AWAY_S
    away = {}
    for status in statuses:
        last_s = status.delivered_ago_s if resting else status.audible_ago_s
        if last_s is None or last_s >= AWAY_S:
            away[status.name] = f"{status.state}: {status.detail}" if status.detail else status.state
    return Health(
        paused=since_pause_s == 0.0,
        away=away,
        silent_s={status.name: status.audible_ago_s for status in statuses},
    )
