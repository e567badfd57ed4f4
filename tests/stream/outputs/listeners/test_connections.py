"""Connections that ask nothing, ask slowly or read nothing lock nobody out, and are ended."""

import http.client
import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stream.outputs.address import ConnectionLimits, HttpAddress
from stream.outputs.listeners import connections
from stream.outputs.listeners.broadcast import ListenerLimits
from stream.outputs.listeners.connections import client_address
from tests.support.heard import music, wait_until
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

OF_ADDRESS = ListenerLimits.of_address


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.close()


def connect(site: Site, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", site.server.port), timeout=PATIENCE_S, source_address=(source, 0)
    )
    connection.sendall(sent)
    return connection


def ended(connection: socket.socket) -> bool:
    """Return whether the server has ended it; waits for that."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


def ask(site: Site, path: str, source: str, forwarded: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(
        "127.0.0.1", site.server.port, timeout=PATIENCE_S, source_address=(source, 0)
    )
    connection.request("GET", path, headers={"X-Forwarded-For": forwarded} if forwarded else {})
    return connection.getresponse()


def test_a_thousand_half_open_requests_from_one_address_keep_nobody_out(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    half = b"GET /health HTTP/1.1\r\nHost: 127"
    with ExitStack() as opened:
        for _ in range(300):
            opened.enter_context(connect(site, half))
        for source in ("127.0.0.1", "127.0.0.2"):
            assert ask(site, "/status.json", source).status == 200
    assert len(caplog.records) == 1
    assert "too many connections from 127.0.0.1" in caplog.text


def test_half_open_requests_from_many_addresses_keep_nobody_out(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.app.state.connections, "_most", 40)
    with ExitStack() as opened:
        for number in range(100):
            opened.enter_context(connect(site, b"GET / HT", f"127.0.1.{number + 1}"))
        assert ask(site, "/status.json", "127.0.0.2").status == 200
    assert len(caplog.records) == 1
    assert "too many connections in all" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"POST /next HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Endlos: 1\r\nContent-Length: 9\r\n\r\nhalf",
        b"GET /stream.mp3 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf",
        b"GET /status.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /st",
    ],
    ids=["nothing", "half a head", "half a body", "half a body of a listener", "half a second request"],
)
def test_half_a_request_is_ended(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.5)
    site = Site()
    with connect(site, sent) as half, ExitStack() as opened:
        opened.callback(site.close)
        assert ended(half)


def test_a_request_that_drips_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.5)
    site = Site()
    with connect(site, b"GET / HTTP/1.1\r\nX-Long: ") as dripping, ExitStack() as opened:
        opened.callback(site.close)
        dripping.settimeout(0.05)

        def over() -> bool:
            try:
                dripping.sendall(b"x")
                return dripping.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_until(over, "the dripping one is ended")


def test_who_asks_and_reads_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_S", 0.5)
    site = Site()
    with socket.socket() as asking, ExitStack() as opened:
        opened.callback(site.close)
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asking.settimeout(PATIENCE_S)
        asking.connect(("127.0.0.1", site.server.port))
        with pytest.raises(ConnectionError):
            while True:
                asking.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)


def test_a_listener_is_no_half_open_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.5)
    site = Site(HttpAddress(port=0, limits=ConnectionLimits(of_address=4)))
    listener = ask(site, "/stream.mp3", "127.0.0.1")
    with ExitStack() as opened:
        opened.callback(site.close)
        for _ in range(20):
            opened.enter_context(connect(site))
        site.broadcast.offer(music(3))
        # Much longer than a request may take: as much as the stream's own clock needs for it.
        assert len(listener.read(30_000)) == 30_000


def test_one_address_cannot_take_the_places_of_all(site: Site) -> None:
    taken = [ask(site, "/stream.mp3", "127.0.0.1") for _ in range(OF_ADDRESS)]
    assert {answer.status for answer in taken} == {200}
    assert ask(site, "/stream.mp3", "127.0.0.1").status == 503
    assert ask(site, "/stream.mp3", "127.0.0.2").status == 200
    taken[0].close()
    wait_until(lambda: ask(site, "/stream.mp3", "127.0.0.1").status == 200, "the one who left makes room")


def test_a_proxy_stands_for_whom_it_names_and_for_one_where_it_names_nobody(site: Site) -> None:
    households = [f"203.0.113.{number}" for number in range(OF_ADDRESS + 4)]
    # What a listener claims of himself stands before what the proxy adds.
    named = [ask(site, "/stream.mp3", "127.0.0.1", f"10.0.0.1, {address}") for address in households]
    assert {answer.status for answer in named} == {200}
    # Each answer is held: one that is let go leaves, and makes room for the next.
    greedy = [
        ask(site, "/stream.mp3", "127.0.0.1", f"10.0.0.{number}, 198.51.100.1")
        for number in range(OF_ADDRESS + 2)
    ]
    assert [answer.status for answer in greedy].count(503) == 2
    unnamed = [ask(site, "/stream.mp3", "127.0.0.1") for _ in range(OF_ADDRESS + 1)]
    assert [answer.status for answer in unnamed].count(503) == 1
    assert site.broadcast.listeners == 3 * OF_ADDRESS + 4


def test_no_descriptor_left_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(HttpAddress(port=0, limits=ConnectionLimits(of_address=10_000)))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    half_open = [socket.socket() for _ in range(60)]
    with ExitStack() as opened:
        opened.callback(site.close)
        for connection in half_open:
            opened.enter_context(connection)
        resource.setrlimit(resource.RLIMIT_NOFILE, (half_open[-1].fileno() + 10, before[1]))
        try:
            for connection in half_open:
                connection.settimeout(PATIENCE_S)
                connection.connect(("127.0.0.1", site.server.port))
            wait_until(lambda: "out of system resource" in caplog.text, "it is said")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert ask(site, "/status.json", "127.0.0.1").status == 200
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_descriptors_are_asked_for_as_connections_need_them(caplog: pytest.LogCaptureFixture) -> None:
    """A process has 1,024 on most systems, 256 on macOS, and may grant itself more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        assert connections.Connections(ConnectionLimits(connections=756))._most == 756
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 2 * 756
        assert caplog.text == ""
        # More than there is.
        asked = before[1] + 1
        assert connections.Connections(ConnectionLimits(connections=asked))._most == before[1] // 2
        assert f"{asked} connections are asked for" in caplog.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.2.3.4,  198.51.100.1 ", "198.51.100.1"),
        ("::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.7", None, "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1:1, 198.51.100.2:4711", "198.51.100.2"),
        ("127.0.0.1", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
        ("127.0.0.1", "[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::/64"),
        ("127.0.0.1", "[::ffff:198.51.100.1]:4711", "198.51.100.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "_hidden:4711", "127.0.0.1"),
        ("127.0.0.1", "[", "127.0.0.1"),
        ("", None, ""),
    ],
)
def test_who_asks(peer: str, forwarded: str | None, expected: str) -> None:
    headers = [] if forwarded is None else [(b"X-Forwarded-For", forwarded.encode())]
    assert client_address(peer, headers) == expected


@pytest.mark.parametrize("titles", [{}, {"Icy-MetaData": "1"}])
def test_the_head_of_a_stream_is_that_of_the_stream_and_states_no_length(
    site: Site, titles: dict[str, str]
) -> None:
    told = []
    for method in ("HEAD", "GET"):
        answer = site.ask(method, "/stream.mp3", titles)
        told.append({name: value for name, value in answer.getheaders() if name != "date"})
    assert told[0] == told[1]
    assert "content-length" not in told[0]
