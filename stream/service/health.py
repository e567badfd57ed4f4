"""The health check says whether audible sound leaves every output, and decisions keep up with it.

An output that has ended by itself, in good order, is told as ended and not as ill: nobody misses it.
A stream that somebody has paused is not ill either: for as long as it stands still, and until it has had
the time to be heard again, an output only has to hand on its silence. One that is gone is ill all the same.
The sound does not wait for a decision; but where several come late within a while, joins are no longer
chosen as they are meant to be, and somebody should look. A process that stood still is told, and is not
ill: when it can tell of it, all is well again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from stream.outputs.output import OutputStatus

AWAY_S = 10.0
"""How long an output may be away, or silent, before it is ill: a server that starts again takes less."""
LATELY_S = 60.0
"""For so long a late decision is told of."""
MOST_LATE = 3
"""So many late decisions within that time are no illness: a machine that was asleep for a moment has some."""


@dataclass(frozen=True, kw_only=True)
class OutputHealth:
    """How one output is."""

    name: str
    kind: str
    state: str
    healthy: bool
    """Whether what is heard of the stream leaves here, or its silence in a pause, or nobody wants it here."""
    ended: bool
    """Whether nobody wants more of it here: a pipe's reader has gone, or a file is as long as it can be."""
    reason: str | None
    """Why not."""
    seconds_since_sound: float | None
    """How long ago it handed on audible sound; None: never."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the stream is, for whoever would start endlos again or wake somebody up."""

    paused: bool
    outputs: Sequence[OutputHealth]
    late_decisions: int = 0
    """Decisions that came late, or were fallen back on, within the last minute."""
    stopped_s: float = 0.0
    """How long the process stood still within the last minute, so that nothing was sent anywhere."""

    @property
    def away(self) -> Mapping[str, str]:
        """The outputs that nothing is heard of, by name, and why."""
        return {output.name: output.reason for output in self.outputs if output.reason is not None}

    @property
    def silent_s(self) -> Mapping[str, float | None]:
        """How long ago each output handed on audible sound; None: never."""
        return {output.name: output.seconds_since_sound for output in self.outputs}

    @property
    def reason(self) -> str | None:
        """Why all is not well, in a few words; None where it is."""
        if all(output.ended for output in self.outputs):
            return "it goes nowhere"
        if self.away:
            return "not heard everywhere"
        if self.late_decisions > MOST_LATE:
            return f"{self.late_decisions} decisions of the last {LATELY_S:.0f} s came late"
        return None

    @property
    def well(self) -> bool:
        """Whether the stream is heard wherever it is meant to be heard, as it is meant to sound."""
        return self.reason is None

    def as_json(self) -> dict[str, object]:
        """Return what `/healthz` and `/health` say."""
        return {
            "healthy": self.well,
            "reason": self.reason,
            "paused": self.paused,
            "outputs": [asdict(output) for output in self.outputs],
            "late_decisions": self.late_decisions,
            "stopped_s": round(self.stopped_s, 3),
            "away": dict(self.away),
            "seconds_since_sound": dict(self.silent_s),
        }


def health_of(
    statuses: Sequence[OutputStatus],
    since_pause_s: float | None,
    late_decisions: int = 0,
    stopped_s: float = 0.0,
) -> Health:
    """Return how the stream is.

    statuses: of every output that was asked for. since_pause_s: how long ago the stream stood still on
    purpose, 0 while it does; None: it never did. late_decisions: within the last `LATELY_S`. stopped_s: how
    long the process stood still lately.
    """
    resting = since_pause_s is not None and since_pause_s < AWAY_S
    return Health(
        paused=since_pause_s == 0.0,
        outputs=[_health_of_output(status, resting=resting) for status in statuses],
        late_decisions=late_decisions,
        stopped_s=stopped_s,
    )


def _health_of_output(status: OutputStatus, *, resting: bool) -> OutputHealth:
    last_s = status.delivered_ago_s if resting else status.audible_ago_s
    reason: str | None = None
    if not status.done and (last_s is None or last_s >= AWAY_S):
        reason = status.state
        delivered_s = status.delivered_ago_s
        if delivered_s is not None and delivered_s < AWAY_S:
            reason = f"{reason}, but digital silence"
        if status.detail:
            reason = f"{reason}: {status.detail}"
    return OutputHealth(
        name=status.name,
        kind=status.kind,
        state=status.state,
        healthy=reason is None,
        ended=status.done,
        reason=reason,
        seconds_since_sound=status.audible_ago_s,
    )
