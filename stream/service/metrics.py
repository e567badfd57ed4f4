"""The metrics say in the words of Prometheus how the stream, its decisions and its outputs go."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stream.engine.tally import MARGIN_BOUNDS_S
from stream.outputs.output import OutputStatus
from stream.service.events import EventFeed
from stream.service.health import OutputHealth
from stream.service.moment import Moment


@dataclass(frozen=True, kw_only=True)
class StreamMetric:
    """One metric of a single number."""

    name: str
    told: str
    read: Callable[[Moment], float]


@dataclass(frozen=True, kw_only=True)
class OutputMetric:
    """One metric that every output has; None: it has no such thing."""

    name: str
    told: str
    read: Callable[[OutputStatus, OutputHealth], float | None]


STREAM_METRICS: tuple[StreamMetric, ...] = (
    StreamMetric(
        name="endlos_healthy",
        told="1 where audible sound leaves every output and decisions keep up, as /healthz says",
        read=lambda now: now.health.well,
    ),
    StreamMetric(
        name="endlos_paused", told="1 while the stream stands still on purpose", read=lambda now: now.paused
    ),
    StreamMetric(
        name="endlos_listeners", told="Listeners of all outputs that know it", read=lambda now: now.listeners
    ),
    StreamMetric(name="endlos_songs", told="Songs in the pool", read=lambda now: now.playing.songs),
    StreamMetric(name="endlos_chunks", told="Chunks in the pool", read=lambda now: now.playing.chunks),
    StreamMetric(
        name="endlos_lost_files",
        told="Files that could not be read while playing",
        read=lambda now: now.playing.lost,
    ),
    StreamMetric(
        name="endlos_losses_total",
        told="How often a file could not be read that could be before",
        read=lambda now: now.playing.losses,
    ),
    StreamMetric(
        name="endlos_late_blocks_total",
        told="Blocks that came more than 50 ms after they were due",
        read=lambda now: now.pacing.late_blocks,
    ),
    StreamMetric(
        name="endlos_max_lateness_seconds",
        told="How late the latest block came",
        read=lambda now: now.pacing.max_lateness_s,
    ),
    StreamMetric(
        name="endlos_clock_resets_total",
        told="How often the stream was a minute behind the wall clock and went on from there",
        read=lambda now: now.pacing.clock_resets,
    ),
    StreamMetric(
        name="endlos_stops_total",
        told="How often the process stood still for half a second or more",
        read=lambda now: now.pacing.stops,
    ),
    StreamMetric(
        name="endlos_stopped_seconds_total",
        told="For how long it stood still in all, and nothing was sent anywhere",
        read=lambda now: now.pacing.stopped_s,
    ),
    StreamMetric(
        name="endlos_leader_losses_total",
        told="How often the sound card that set the pace was lost",
        read=lambda now: now.pacing.leader_losses,
    ),
    StreamMetric(
        name="endlos_failed_outputs",
        told="Outputs that raised an exception and get nothing any more",
        read=lambda now: now.pacing.failed_outputs,
    ),
    StreamMetric(
        name="endlos_late_decisions_total",
        told="Decisions that were not ready in time, or only just, or had to do without a model",
        read=lambda now: 0 if now.decisions is None else now.decisions.late,
    ),
)

OUTPUT_METRICS: tuple[OutputMetric, ...] = (
    OutputMetric(
        name="endlos_output_up",
        told="1 where audible sound leaves the output, or its silence in a pause",
        read=lambda status, health: health.healthy,
    ),
    OutputMetric(
        name="endlos_output_silence_seconds",
        told="How long ago it handed on audible sound",
        read=lambda status, health: status.audible_ago_s,
    ),
    OutputMetric(
        name="endlos_output_frames_total",
        told="Frames that were handed on",
        read=lambda status, health: status.frames_out,
    ),
    OutputMetric(
        name="endlos_output_bytes_total",
        told="Bytes that were sent or written, each once however many listen; 0 of a sound card",
        read=lambda status, health: status.bytes_out,
    ),
    OutputMetric(
        name="endlos_output_underrun_frames_total",
        told="Frames of silence that were played because nothing was ready",
        read=lambda status, health: status.underrun_frames,
    ),
    OutputMetric(
        name="endlos_output_device_underruns_total",
        told="How often a device said that it had run dry",
        read=lambda status, health: status.device_underruns,
    ),
    OutputMetric(
        name="endlos_output_dropped_frames_total",
        told="Frames that were offered and not taken",
        read=lambda status, health: status.dropped_frames,
    ),
    OutputMetric(
        name="endlos_output_buffered_seconds",
        told="What fills its ring: offered, and not yet handed on",
        read=lambda status, health: status.buffered_s,
    ),
    OutputMetric(
        name="endlos_output_reconnects_total",
        told="How often it had to connect again",
        read=lambda status, health: status.reconnects,
    ),
    OutputMetric(
        name="endlos_output_encoder_restarts_total",
        told="Encoders that hung or failed and were replaced, while the connection stayed",
        read=lambda status, health: status.encoder_restarts,
    ),
    OutputMetric(
        name="endlos_output_listeners",
        told="Who listens now, where that can be known",
        read=lambda status, health: status.listeners,
    ),
)

OTHER_METRICS = {
    "endlos_decisions_total": "Decisions, by the rung of the ladder that took them",
    "endlos_decision_margin_seconds": "How long a decision lay ready before it was needed (a histogram)",
    "endlos_event_listeners": "Who listens to /api/events",
    "endlos_event_listeners_dropped_total": "Listeners of /api/events that were too slow",
    "process_resident_memory_bytes": "Memory of the process, beside other process_* figures (Linux)",
}
"""What is no single number of the stream or an output, and what it means."""

_LABELS = ("output", "kind")


def metrics_text(moment: Moment, events: EventFeed | None, *, addresses: bool) -> bytes:
    """Return all metrics as text; addresses: as for `Moment.as_json`."""
    registry = CollectorRegistry()
    registry.register(_Stream(moment, events, addresses=addresses))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Stream(Collector):
    def __init__(self, moment: Moment, events: EventFeed | None, *, addresses: bool) -> None:
        self._moment = moment
        self._events = events
        self._addresses = addresses

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        for figure in STREAM_METRICS:
            yield _single(figure.name, figure.told, figure.read(self._moment))
        statuses = self._moment.statuses(addresses=self._addresses)
        for each in OUTPUT_METRICS:
            family = _family(each.name, each.told, _LABELS)
            for status, health in zip(statuses, self._moment.health.outputs, strict=True):
                value = each.read(status, health)
                if value is not None:
                    family.add_metric((status.name, status.kind), float(value))
            yield family
        yield from self._decisions()
        if self._events is not None:
            listeners, dropped = "endlos_event_listeners", "endlos_event_listeners_dropped_total"
            yield _single(listeners, OTHER_METRICS[listeners], self._events.listeners)
            yield _single(dropped, OTHER_METRICS[dropped], self._events.dropped)

    def _decisions(self) -> Iterable[Metric]:
        decisions = self._moment.decisions
        if decisions is None:
            return
        name = "endlos_decisions_total"
        by_rung = _family(name, OTHER_METRICS[name], ("rung",))
        for rung, count in decisions.by_rung.items():
            by_rung.add_metric((rung,), count)
        yield by_rung
        buckets, below = [], 0
        for bound, count in zip((*MARGIN_BOUNDS_S, float("inf")), decisions.by_margin, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), below))
        name = "endlos_decision_margin_seconds"
        yield HistogramMetricFamily(name, OTHER_METRICS[name], buckets=buckets, sum_value=decisions.margins_s)


def _single(name: str, told: str, value: float) -> Metric:
    family = _family(name, told, ())
    family.add_metric((), float(value))
    return family


def _family(name: str, told: str, labels: Iterable[str]) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(name, told, labels=tuple(labels))
