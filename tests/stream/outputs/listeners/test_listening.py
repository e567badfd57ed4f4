"""What listeners get is whole for each of them, however many there are and however they read."""

import re
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stream.outputs.address import ConnectionLimits, HttpAddress
from stream.outputs.encoding.codecs import Codec
from stream.outputs.listeners.ranges import ENDLESS_BYTES
from tests.support.heard import Feeder, music, wait_until
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

ASKING = b"GET /stream.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.close()


def connect(site: Site, source: str = "127.0.0.1", *, receive_bytes: int | None = None) -> socket.socket:
    listener = socket.socket()
    if receive_bytes is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    listener.settimeout(PATIENCE_S)
    listener.bind((source, 0))
    listener.connect(("127.0.0.1", site.server.port))
    listener.sendall(ASKING)
    return listener


def test_who_did_not_read_for_a_while_misses_nothing(site: Site) -> None:
    """Nor is anything kept for him beyond his socket's buffers but a number: his place."""
    with ExitStack() as opened:
        quick = opened.enter_context(connect(site))
        resting = opened.enter_context(connect(site, receive_bytes=4096))
        wait_until(lambda: site.broadcast.listeners == 2, "both listen")
        opened.enter_context(Feeder(site.broadcast, music(30), speed=4))
        # 14 s of the stream: what the kernel has room for, and some seconds more.
        heard = hear(quick, 14 * 16_000)
        late = hear(resting, 14 * 16_000)
        heard = hear(quick, len(late), heard)
    assert body(late) == body(heard)[: len(body(late))]
    assert site.broadcast.dropped_listeners == 0


def hear(listener: socket.socket, size: int, heard: bytes = b"") -> bytes:
    """Return what was heard, and then so much more that it is `size` bytes; fail where the answer ends."""
    while len(heard) < size:
        more = listener.recv(65_536)
        assert more, f"the answer ended after {len(heard)} of {size} bytes"
        heard += more
    return heard


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def test_five_hundred_hear_the_same() -> None:
    listeners = 500
    site = Site(HttpAddress(port=0, limits=ConnectionLimits().and_also(listeners, 16)))
    heard: dict[socket.socket, bytearray] = {}
    with ExitStack() as opened, selectors.DefaultSelector() as selector:
        opened.callback(site.close)
        # The one whose place is the first of all, so that all that others get is in what it gets.
        for number in range(listeners):
            listener = opened.enter_context(connect(site, f"127.0.1.{1 + number // 16}"))
            heard[listener] = bytearray()
            selector.register(listener, selectors.EVENT_READ)
            if not number:
                wait_until(lambda: site.broadcast.listeners == 1, "the first one listens")
        opened.enter_context(Feeder(site.broadcast, music(4), loop=True, speed=1))
        while min(map(len, heard.values())) < 3 * 16_000:
            ready = selector.select(PATIENCE_S)
            assert ready, "all hear more"
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                more = key.fileobj.recv(65_536)
                assert more, "nobody is dropped"
                heard[key.fileobj] += more
        assert site.broadcast.listeners == listeners
        one_more = opened.enter_context(connect(site, "127.0.2.1"))
        assert one_more.recv(4096).startswith(b"HTTP/1.1 503 ")
    whole = body(bytes(next(iter(heard.values()))))
    for data in heard.values():
        begun = body(bytes(data))[: 2 * 16_000]
        assert begun
        assert begun in whole


def test_titles_are_woven_for_each_by_himself(site: Site) -> None:
    with Feeder(site.broadcast, music(5), loop=True):
        plain = site.ask("GET", "/stream.mp3").read(60_000)
        answer = site.ask("GET", "/stream.mp3", {"Icy-MetaData": "1"})
        interval = int(answer.headers["icy-metaint"])
        woven = b""
        for _ in range(3):
            woven += answer.read(interval)
            answer.read(16 * answer.read(1)[0])
    begin = plain.find(woven[:4096])
    if begin < 0:
        begin = 0
        woven = woven[woven.find(plain[:4096]) :]
    size = min(len(plain) - begin, len(woven))
    assert size > 8192
    assert woven[:size] == plain[begin : begin + size]


@pytest.mark.parametrize(
    ("codec", "asked", "status"),
    [
        ("mp3", "bytes=0-", 200),
        ("mp3", "bytes=0-1", 200),
        ("mp3", "bytes=-500", 200),
        ("mp3", "bytes=1-5,7-9", 200),
        ("mp3", "seconds=5-", 200),
        ("mp3", "bytes=1-", 206),
        ("mp3", "bytes=57600000-", 206),
        ("mp3", "bytes=57600000-57700000", 206),
        ("mp3", f"bytes={ENDLESS_BYTES - 1}-", 206),
        ("mp3", f"bytes={ENDLESS_BYTES}-", 416),
        ("aac", "bytes=5-", 206),
        ("opus", "bytes=5-", 206),
        ("flac", "bytes=0-", 200),
        ("flac", "bytes=5-", 416),
        ("vorbis", "bytes=5-", 416),
    ],
)
def test_a_part_that_is_asked_for_is_what_plays_now(codec: Codec, asked: str, status: int) -> None:
    site = Site(codec=codec)
    with ExitStack() as opened:
        opened.callback(site.close)
        path = next(iter(site.broadcast.routes())).path
        answer = site.ask("GET", path, {"Range": asked})
        assert answer.status == status
        begin = re.sub(r"\D.*", "", asked.partition("=")[2])
        told = f"bytes {begin}-{ENDLESS_BYTES - 1}/*" if status == 206 else None
        assert answer.headers["content-range"] == told
        assert site.broadcast.listeners == (status != 416)
        # It is of no version, and of a head there is no part.
        assert site.ask("GET", path, {"Range": asked, "If-Range": '"x"'}).status == 200
        head = site.ask("HEAD", path, {"Range": asked})
        assert (head.status, head.headers["content-range"]) == (200, None)
