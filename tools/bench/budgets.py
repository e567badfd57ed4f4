"""The budgets of the benchmark stand here, with the way to change one for another machine."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from model.base.errors import EndlosError


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """What each figure may be, on two cores; `least` begins the name of a lower bound, the unit ends it."""

    help_s: float = 0.5
    """`endlos --help`, the slowest of several."""
    first_sound_s: float = 1.0
    """From the start of the process to the first block that is not silent, the slowest of several."""
    carried_p99_ms: float = 150.0
    """A decision of the carried model of approach `binary` over 1,800 candidates."""
    embedded_p99_ms: float = 10.0
    """A decision over 1,800 candidates where something was computed before: embeddings, or whole rows."""
    exact_p99_ms: float = 1500.0
    """A decision of the report's network, exact, over 1,800 candidates."""
    least_first_rung_percent: float = 99.9
    late_decisions: float = 0.0
    least_blend_margin_s: float = 15.0
    """For so long the step to another song is known before it is taken, of a hundred at least 99."""
    returns_percent: float = 5.0
    """Changes of song that go back to one of the last eight, where a pool has twice as many."""
    absence_rounds: float = 3.0
    """No song stays away for longer than so many times what it takes to visit each once."""
    underruns: float = 0.0
    """Frames of silence that nobody asked for: in the simulated hour, and on the sound card."""
    skip_ms: float = 250.0
    """From `next` to what is recorded at the sound card's monitor, the slowest of several."""
    least_model_times_real: float = 10.0
    least_random_times_real: float = 100.0
    resident_mb: float = 300.0
    day_growth_mb: float = 2.0
    """Resident memory at the end of a simulated day beyond that at its half."""
    beyond_encoder_cpu_s: float = 15.0
    """Processor time of an hour of stream beyond what its encoder takes, with precomputed rows or embeddings:
    rendered offline, and sent to Icecast."""
    stretch_ms: float = 5.0
    """Processor time to play a second of a song faster by 3 %."""
    blend_ms: float = 12.0
    """Processor time of a second of a tempo blend, stretching included, decoding not."""
    peer_cpu_ratio: float = 0.85
    """Processor time of an hour to Icecast, by that of Liquidsoap."""
    served_resident_mb: float = 150.0
    """Resident memory of a process that sends one stream to Icecast and serves nothing else."""


def with_changes(budgets: Budgets, changes: Iterable[str]) -> Budgets:
    """Return `budgets` with changes such as `carried_p99_ms=300`; `EndlosError` on anything else."""
    known = [field.name for field in fields(Budgets)]
    changed: dict[str, float] = {}
    for change in changes:
        name, _, value = change.partition("=")
        try:
            changed[name] = float(value)
        except ValueError:
            changed[name] = math.nan
        if name not in known or math.isnan(changed[name]):
            raise EndlosError(f"{change!r} is no budget; expected NAME=NUMBER, one of {', '.join(known)}")
    return replace(budgets, **changed)
