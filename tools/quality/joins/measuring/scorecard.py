"""The scorecard measures the joins of one stream, from its audio or as it renders."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model.base.arrays import DoubleArray, FloatArray
from tools.quality.joins.boundaries import Boundary, boundary
from tools.quality.joins.bounds import clicks_per_hour
from tools.quality.joins.measuring.journey import Journey, JourneyCurve, JourneyMap, journey_of
from tools.quality.joins.measuring.measures import SIDE_S, JoinMeasure, measure_boundary, table
from tools.quality.joins.measuring.peak import PeakMeter
from tools.quality.joins.measuring.sides import Sides
from tools.quality.joins.measuring.wander import Wander, wander
from tools.quality.joins.windows import Source, cut_windows

MOST_MEASURED = 400
"""Boundaries of one kind that are measured; they come as they are heard."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorecard:
    """What was measured in one stream.

    joined, natural: `(n, len(NAMES))` of `tools.quality.joins.measuring.measures.table`. kinds: `(joined,)`,
    how the engine calls each join.
    """

    joined: DoubleArray
    natural: DoubleArray
    kinds: tuple[str, ...]
    seconds: float
    peak_db: float
    wander: Wander
    journey: Journey
    curve: JourneyCurve

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold of the whole stream."""
        told = asdict(self.wander) | asdict(self.journey)
        way = {name: _told(value) for name, value in told.items()}
        return {
            "seconds": self.seconds,
            "true_peak_db": self.peak_db,
            "clicks_per_hour": clicks_per_hour(self.joined, self.seconds),
            "song_clicks_per_hour": _told(clicks_per_hour(self.joined, self.seconds, "song_clicks")),
            **way,
        }


def _told(value: float) -> float | None:
    return None if value != value else value


class _Known:
    """Audio that is there already, as a stream."""

    def __init__(self, audio: FloatArray, rate_hz: int, boundaries: list[Boundary]) -> None:
        self.rate_hz, self.boundaries = rate_hz, boundaries
        self._audio, self._at = audio, 0

    def render(self, frames: int) -> FloatArray:
        block = self._audio[self._at : self._at + frames]
        self._at += frames
        return block


def join_metrics(
    audio: FloatArray,
    decisions: Iterable[Mapping[str, Any]],
    pool: JourneyMap,
    *,
    sides: Sides | None = None,
    rate_hz: int = 44_100,
) -> Scorecard:
    """Measure a rendered stream `(frames, 2)` float32 by the lines of its decision log.

    pool: what it was made of (`JourneyMap.of`). sides: its songs; without them the level in the fade is not
    measured.
    """
    boundaries = [
        found for line in decisions if "event" not in line and (found := boundary(line)) is not None
    ]
    return _measured(_Known(audio, rate_hz, boundaries), len(audio) / rate_hz, pool, sides, None)


def measured(
    stream: Source,
    seconds: float,
    pool: JourneyMap,
    sides: Sides | None = None,
    told: Callable[[float], None] | None = None,
) -> Scorecard:
    """Render and measure `seconds` of a stream; told: is given the seconds as they are done."""
    return _measured(stream, seconds, pool, sides, told)


def _measured(
    source: Source,
    seconds: float,
    pool: JourneyMap,
    sides: Sides | None,
    told: Callable[[float], None] | None,
) -> Scorecard:
    meter = PeakMeter(source.rate_hz)
    done = 0

    def heard(block: FloatArray) -> None:
        nonlocal done
        meter(block)
        done += len(block)
        if told is not None:
            told(done / source.rate_hz)

    joined: list[JoinMeasure] = []
    natural: list[JoinMeasure] = []
    kinds: list[str] = []
    for window in cut_windows(source, seconds, heard=heard, context_s=min(SIDE_S, seconds / 4)):
        kind = joined if window.boundary.joined else natural
        if len(kind) < MOST_MEASURED:
            kind.append(measure_boundary(window, sides))
            if window.boundary.joined:
                kinds.append(window.boundary.kind)
    reached = [place for place in source.boundaries if place.centre_frames <= done]
    journey, curve = journey_of(reached, pool, source.rate_hz)
    return Scorecard(
        joined=table(joined),
        natural=table(natural),
        kinds=tuple(kinds),
        seconds=seconds,
        peak_db=meter.peak_db,
        wander=wander(reached, pool.chunks, source.rate_hz),
        journey=journey,
        curve=curve,
    )
