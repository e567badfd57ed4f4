"""Metrics are what a real Prometheus client reads, agree with what the stream says, and are documented."""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from stream.engine.tally import MARGIN_BOUNDS_S, DecisionFigures
from stream.outputs.address import HttpAddress
from stream.outputs.kinds.http import HttpStream
from stream.service.app import create_app
from stream.service.metrics import OTHER_METRICS, OUTPUT_METRICS, STREAM_METRICS, metrics_text
from stream.service.server import WebServer
from tests.support.heard import RATE_HZ, Feeder, music
from tests.support.moments import a_moment
from tests.support.reference import REPOSITORY
from tests.support.waiting import PATIENCE_S, wait_until

DECISIONS = DecisionFigures(
    by_rung={"full": 5, "shortlist": 1},
    by_margin=(0, 0, 1, *[0] * (len(MARGIN_BOUNDS_S) - 4), 4, 1),
    margins_s=300.0,
    late=1,
    late_ago_s=(3.0,),
    margin_s=20.0,
    decision_ms=1.0,
    rung="full",
)


def read(text: bytes) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    return {
        tuple(label for _, label in sorted(sample.labels.items(), reverse=True)): sample.value
        for sample in family.samples
    }


@pytest.fixture
def output() -> Iterator[HttpStream]:
    stream = HttpStream(RATE_HZ, "mp3", 128)
    stream.start()
    with Feeder(stream, music(2), loop=True):
        wait_until(lambda: stream.status().audible_ago_s is not None, "it is heard")
        yield stream
    stream.close()


def test_they_say_what_the_stream_says(output: HttpStream) -> None:
    moment = a_moment([output], decisions=DECISIONS)
    found = read(metrics_text(moment, None, addresses=True))
    (status,) = moment.outputs
    of_output = ("http mp3", "http")
    assert values(found["endlos_output_frames"]) == {of_output: status.frames_out}
    assert values(found["endlos_output_up"]) == {of_output: 1.0}
    assert values(found["endlos_output_buffered_seconds"]) == {of_output: status.buffered_s}
    assert values(found["endlos_output_silence_seconds"])[of_output] == status.audible_ago_s
    assert values(found["endlos_songs"]) == {(): 3.0}
    assert values(found["endlos_healthy"]) == {(): 1.0}
    assert values(found["endlos_decisions"]) == {("full",): 5.0, ("shortlist",): 1.0}
    assert found["process_resident_memory_bytes"].samples[0].value > 2**20
    margin = {
        (sample.name.rpartition("_")[2], sample.labels.get("le")): sample.value
        for sample in found["endlos_decision_margin_seconds"].samples
    }
    assert margin["bucket", "0.1"] == 0
    assert margin["bucket", "0.2"] == margin["bucket", "50.0"] == 1
    assert margin["bucket", "100.0"] == 5
    assert margin["bucket", "+Inf"] == margin["count", None] == 6
    assert margin["sum", None] == 300.0


def test_what_an_output_does_not_know_is_left_out(output: HttpStream) -> None:
    moment = a_moment([output])
    assert "endlos_output_listeners" in read(metrics_text(moment, None, addresses=True))
    unknown = replace(moment, outputs=[replace(moment.outputs[0], listeners=None)])
    found = read(metrics_text(unknown, None, addresses=True))
    assert values(found["endlos_output_listeners"]) == {}


def test_names_are_as_prometheus_has_them_and_stand_in_the_documents(output: HttpStream) -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    text = metrics_text(a_moment([output], decisions=DECISIONS), None, addresses=True).decode()
    told = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)
    assert len(told) > 25
    for name, kind in told:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|db|minutes|kilobytes)\b", name), name
        if name.startswith("endlos_"):
            assert f"| `{name}` |" in page, name
    described = {each.name for each in (*STREAM_METRICS, *OUTPUT_METRICS)} | OTHER_METRICS.keys()
    served = {name for name, _ in told} | {"endlos_event_listeners", "endlos_event_listeners_dropped_total"}
    assert described <= served, "what is documented is served"


def test_an_address_of_an_output_is_told_nobody_elsewhere(output: HttpStream) -> None:
    output.name = "icecast://radio.example:8000/secret.mp3"
    output.kind = "icecast"
    address = HttpAddress(host="0.0.0.0", port=0)
    server = WebServer(create_app(lambda: a_moment([output]), address=address), address)
    server.start()
    with (
        closing(server),
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)) as connection,
    ):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read()
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert values(read(text)["endlos_output_up"]).keys() == {("output 1", "icecast")}
    assert b"radio.example" not in text
    assert np.isfinite(values(read(text)["endlos_output_frames"])["output 1", "icecast"])
