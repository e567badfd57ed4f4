"""Events reach whoever listens, in order, again where they were missed, and cost nothing for nobody."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stream.outputs.address import HttpAddress
from stream.outputs.listeners.connections import Connections
from stream.service import event_response, events
from stream.service.event_response import answer_events
from stream.service.events import EventFeed, Fact, Happening, Seen
from stream.service.server import WebServer
from tests.support.event_reader import EventReader
from tests.support.waiting import wait_until

NEVER_S = 3600.0


class Stream:
    """Something that changes when it is told to."""

    def __init__(self) -> None:
        self.state = 0
        self.joins = [0]
        self.looks = 0
        self.again_s: float | None = None
        self.padding = ""
        self.fails = False

    def look(self) -> Seen:
        self.looks += 1
        if self.fails:
            raise ZeroDivisionError("a mistake")
        state = self.state
        fact = Fact(
            name="state",
            key=state,
            tell=lambda home: f'{{"n": {state}, "home": {str(home).lower()}, "padding": "{self.padding}"}}',
            again_s=self.again_s,
        )
        joins = [Happening(name="join", number=n, tell=lambda home, n=n: str(n)) for n in self.joins]
        return Seen(facts=[fact], happenings=joins)


@contextmanager
def served(feed: EventFeed) -> Iterator[WebServer]:
    async def answer(request: Request) -> Response:
        return answer_events(feed, request, addresses="x-public" not in request.headers)

    app = Starlette(routes=[Route("/api/events", answer)])
    app.state.connections = Connections()
    server = WebServer(app, HttpAddress(port=0))
    server.start()
    try:
        yield server
    finally:
        feed.close()
        server.close()


def changed(stream: Stream, feed: EventFeed, to: int) -> None:
    stream.state = to
    feed.wake()


def test_who_comes_new_is_told_how_all_is_and_then_what_changes() -> None:
    stream = Stream()
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as reader:
        assert reader.answer.headers["content-type"].startswith("text/event-stream")
        first = reader.next()
        assert (first.name, first.data["n"]) == ("state", 0), "not the join, which is long over"
        changed(stream, feed, 1)
        second = reader.next()
        assert second.data["n"] == 1
        assert second.id != first.id
        with closing(EventReader(server.port)) as late:
            assert late.next() == second


def test_a_join_is_told_when_it_happens_and_to_nobody_who_comes_later() -> None:
    stream = Stream()
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as reader:
        reader.next()
        # Two between one look and the next.
        stream.joins = [0, 3, 4]
        feed.wake()
        told = [reader.next() for _ in range(2)]
        assert [(each.name, each.data) for each in told] == [("join", 3), ("join", 4)]
        with closing(EventReader(server.port)) as late:
            assert late.next().name == "state"
            changed(stream, feed, 1)
            assert late.next().data["n"] == 1


def test_the_first_join_of_all_is_told() -> None:
    stream = Stream()
    stream.joins = []
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as reader:
        reader.next()
        stream.joins = [0]
        feed.wake()
        assert reader.next().name == "join"


def test_what_was_missed_is_sent_again() -> None:
    stream = Stream()
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as other:
        with closing(EventReader(server.port)) as reader:
            last = reader.next()
        other.next()
        for state in (1, 2, 3):
            changed(stream, feed, state)
            other.next()
        with closing(EventReader(server.port, last.id)) as again:
            assert [again.next().data["n"] for _ in range(3)] == [1, 2, 3]
            changed(stream, feed, 4)
            assert again.next().data["n"] == 4


@pytest.mark.parametrize("last_id", ["", "x", "-1", "0-0", "ffffffff-3", "a-b-2", "9" * 400])
def test_of_an_id_that_nobody_gave_all_is_told_anew(last_id: str) -> None:
    stream = Stream()
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as other:
        other.next()
        with closing(EventReader(server.port, last_id)) as reader:
            names = [reader.next().name for _ in range(2 if last_id else 1)]
    assert names == (["reset", "state"] if last_id else ["state"])


def test_where_what_was_missed_is_gone_there_is_one_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "RING_EVENTS", 4)
    stream = Stream()
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as other:
        ids = [other.next().id]
        for state in range(1, 8):
            changed(stream, feed, state)
            ids.append(other.next().id)
        with closing(EventReader(server.port, ids[2])) as reader:
            assert [reader.next().name for _ in range(2)] == ["reset", "state"]
            changed(stream, feed, 8)
            assert reader.next().data["n"] == 8
        with closing(EventReader(server.port, ids[5])) as reader:
            assert [reader.next().data["n"] for _ in range(3)] == [6, 7, 8]


def test_without_a_listener_nothing_is_looked_at() -> None:
    stream = Stream()
    feed = EventFeed(stream.look, look_s=0.01, linger_s=0.1)
    with served(feed) as server:
        feed.wake()
        assert not feed.watching
        assert stream.looks == 0
        with closing(EventReader(server.port)) as reader:
            first = reader.next()
            wait_until(lambda: stream.looks > 3, "it is looked at")
        wait_until(lambda: not feed.watching, "the watch ends")
        wait_until(
            lambda: "events" not in [thread.name for thread in threading.enumerate()], "its thread ends"
        )
        with closing(EventReader(server.port, first.id)) as again:
            assert again.next().name == "reset", "nobody has watched meanwhile"


def test_it_is_told_again_though_nothing_changes_and_between_that_there_are_comments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_response, "HEARTBEAT_S", 0.05)
    stream = Stream()
    feed = EventFeed(stream.look, look_s=0.02)
    with served(feed) as server, closing(EventReader(server.port)) as reader:
        reader.until("state")
        assert [reader.next().name for _ in range(3)] == [":", ":", ":"]
        stream.again_s = 0.05
        assert reader.until("state").data["n"] == 0


def test_a_look_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    feed = EventFeed(stream.look, look_s=0.01)
    with served(feed) as server, closing(EventReader(server.port)) as reader:
        reader.next()
        stream.fails = True
        looks = stream.looks
        wait_until(lambda: stream.looks > looks + 3, "it is looked at again")
        stream.fails = False
        changed(stream, feed, 1)
        assert reader.next().data["n"] == 1
    assert caplog.text.count("ZeroDivisionError: a mistake") == 1


def test_addresses_of_outputs_are_told_at_home_alone() -> None:
    feed = EventFeed(Stream().look, look_s=NEVER_S)
    with (
        served(feed) as server,
        closing(EventReader(server.port)) as home,
        closing(EventReader(server.port, **{"X-Public": "1"})) as abroad,
    ):
        assert home.next().data["home"] is True
        assert abroad.next().data["home"] is False


def test_so_many_listen_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (events.MOST_EVENT_LISTENERS, events.MOST_OF_ADDRESS) == (64, 16)
    monkeypatch.setattr(events, "MOST_EVENT_LISTENERS", 3)
    monkeypatch.setattr(events, "MOST_OF_ADDRESS", 2)
    feed = EventFeed(Stream().look, look_s=NEVER_S)
    with served(feed) as server:
        readers = [EventReader(server.port) for _ in range(2)]
        refused = EventReader(server.port)
        assert (refused.answer.status, refused.answer.headers["retry-after"]) == (503, "30")
        # A proxy of this machine asks for others.
        readers.append(EventReader(server.port, **{"X-Forwarded-For": "203.0.113.1"}))
        assert readers[-1].answer.status == 200
        assert EventReader(server.port, **{"X-Forwarded-For": "203.0.113.2"}).answer.status == 503
        readers[0].close()
        wait_until(lambda: feed.listeners == 2, "the one who left is gone")
        readers.append(EventReader(server.port))
        assert readers[-1].answer.status == 200
        for reader in readers:
            reader.close()


def test_who_does_not_read_is_dropped_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_response, "EVENTS_SLOW_AFTER_S", 0.3)
    stream = Stream()
    stream.padding = "x" * 100_000
    feed = EventFeed(stream.look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as quick, socket.socket() as slow:
        quick.next()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: feed.listeners == 2, "both listen")
        state = 0

        def dropped() -> bool:
            nonlocal state
            state += 1
            changed(stream, feed, state)
            assert quick.next().data["n"] == state
            return feed.dropped == 1

        wait_until(dropped, "the slow one is dropped")
        assert feed.listeners == 1


def test_the_end_of_the_stream_ends_every_answer_at_once() -> None:
    feed = EventFeed(Stream().look, look_s=NEVER_S)
    with served(feed) as server, closing(EventReader(server.port)) as reader:
        reader.next()
        feed.close()
        with pytest.raises(EOFError):
            reader.next()
        with closing(EventReader(server.port)) as late:
            assert late.answer.status == 503
