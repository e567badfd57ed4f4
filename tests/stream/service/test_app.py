"""The web application answers plain clients and a real browser from a real server."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import numpy as np
import pytest

from model.base.errors import OutputError
from stream.outputs.address import HttpAddress
from stream.outputs.encoded import EncodedOutput
from stream.outputs.kinds.http import HttpStream
from stream.outputs.kinds.icecast import IcecastOutput
from stream.outputs.listeners.broadcast import ListenerLimits
from stream.outputs.output import OutputStatus
from stream.service import health
from stream.service.app import create_app
from stream.service.server import WebServer
from tests.support.heard import RATE_HZ, Feeder, decode, music, residual_db, wait_until
from tests.support.icecast_server import SOURCE_PASSWORD, icecast_program, icecast_server, icecast_settings
from tests.support.moments import a_moment
from tests.support.real import require_real
from tests.support.site import SONG, Site
from tests.support.waiting import PATIENCE_S

NOW = {
    "title": SONG.title,
    "artist": SONG.artist,
    "position_s": 30.0,
    "length_s": 125.0,
    "next_title": "Coffee",
    "next_artist": "The Others",
    "next_score": 0.934,
}


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.close()


def test_the_stream_is_what_was_offered(site: Site) -> None:
    sound = music(9)
    response = site.ask("GET", "/stream.mp3")
    assert response.status == 200
    assert response.headers["content-type"] == "audio/mpeg"
    assert response.headers["content-length"] is None
    with Feeder(site.broadcast, sound, speed=4) as feeder:
        heard = response.read(16_000 * 5)
        late = site.ask("GET", "/stream.mp3").read(16_000 * 3)
        wait_until(lambda: feeder.done, "all is offered")
    for data in (heard, late):
        audio, rate_hz = decode(data)
        # A stream that waits for its first sound for a second says nothing meanwhile.
        audio = audio[int(np.argmax(np.abs(audio).max(axis=1) > 1e-4)) :]
        assert len(audio) > 1.5 * rate_hz
        assert residual_db(sound, audio, rate_hz) < -60


def test_the_stream_ends_with_its_last_fade_and_not_in_good_order(site: Site) -> None:
    """Who is told of an end plays on with what is next in his list, or nothing; else he asks again."""
    response = site.ask("GET", "/stream.mp3")
    with Feeder(site.broadcast, music(2), speed=4) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
    site.broadcast.close()
    with pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    audio, rate_hz = decode(broken.value.partial)
    assert np.abs(audio).max() > 0.1
    assert np.abs(audio[-round(0.1 * rate_hz) :]).max() < 0.001


def test_a_player_that_asks_gets_titles(site: Site) -> None:
    with Feeder(site.broadcast, music(5), loop=True):
        response = site.ask("GET", "/stream.mp3", {"Icy-MetaData": "1"})
        interval = int(response.headers["icy-metaint"])
        response.read(interval)
        length = 16 * response.read(1)[0]
        assert response.read(length).rstrip(b"\0").decode() == "StreamTitle='Künstler – Titel';"


@pytest.mark.parametrize("forwarded", ["", "X-Forwarded-For: 203.0.113.7\r\n"])
def test_a_listener_who_does_not_read_is_dropped(
    site: Site, caplog: pytest.LogCaptureFixture, forwarded: str
) -> None:
    """forwarded: what a reverse proxy on this machine, who has the connection, says of its listener."""
    quick = site.ask("GET", "/stream.mp3")
    read = 0

    def keep_reading() -> None:
        nonlocal read
        with suppress(http.client.IncompleteRead):
            while more := quick.read1(4096):
                read += len(more)

    reader = threading.Thread(target=keep_reading, daemon=True)
    reader.start()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", site.server.port))
        slow.sendall(f"GET /stream.mp3 HTTP/1.1\r\nHost: x\r\n{forwarded}\r\n".encode())
        wait_until(lambda: site.broadcast.listeners == 2, "both listen")
        with Feeder(site.broadcast, music(5), speed=12, loop=True):
            wait_until(lambda: site.broadcast.dropped_listeners == 1, "the slow one is dropped")
            # Cut off for good, not left half open until it has read what is under way.
            before = read
            wait_until(lambda: read > before + 20_000, "the quick one still hears")
        slow.settimeout(PATIENCE_S)
        rest = b""

        def is_cut_off() -> bool:
            nonlocal rest
            more = slow.recv(65_536)
            rest = more or rest
            return not more

        wait_until(is_cut_off, "the slow one is cut off")
        assert not rest.endswith(b"0\r\n\r\n"), "not an end in good order"
    assert site.broadcast.listeners == 1
    assert caplog.text == ""


def test_who_leaves_makes_room_and_the_room_is_limited() -> None:
    site = Site(limits=ListenerLimits(listeners=3))
    with ExitStack() as opened:
        opened.callback(site.close)
        listeners = [site.ask("GET", "/stream.mp3") for _ in range(3)]
        refused = site.ask("GET", "/stream.mp3")
        assert (refused.status, refused.read()) == (503, b"too many listeners; try again later\n")
        listeners[0].close()
        wait_until(lambda: site.broadcast.listeners == 2, "the one who left is gone")
        assert site.ask("GET", "/stream.mp3").status == 200


def test_status_and_health(site: Site) -> None:
    silent = site.ask("GET", "/health")
    told = json.load(silent)
    assert (silent.status, told["healthy"], list(told["away"])) == (503, False, ["http mp3"])
    zeros = np.zeros((RATE_HZ, 2), dtype=np.float32)
    site.broadcast.offer(zeros)
    wait_until(lambda: site.broadcast.status().frames_out > RATE_HZ // 2, "silence was encoded")
    assert site.ask("GET", "/health").status == 503, "silence is no sound"
    with Feeder(site.broadcast, music(2), speed=4):
        wait_until(lambda: site.ask("GET", "/health").status == 200, "it is well")
    status = json.load(site.ask("GET", "/status.json"))
    assert status["now"].items() >= NOW.items()
    assert status["healthy"]
    assert status["listeners"] == 0
    assert status["outputs"][0]["name"] == "http mp3"
    assert status["outputs"][0]["state"] == "playing"


def test_the_stream_stopping_makes_it_unwell(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "AWAY_S", 0.5)
    with Feeder(site.broadcast, music(1), loop=True):
        wait_until(lambda: site.ask("GET", "/health").status == 200, "it is well")
    wait_until(lambda: site.ask("GET", "/health").status == 503, "the silence is noticed")


def test_an_output_that_cannot_say_how_it_is_takes_neither_page_nor_status_nor_health_down(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> OutputStatus:
        raise ZeroDivisionError("a mistake")

    with Feeder(site.broadcast, music(2), loop=True):
        wait_until(lambda: site.ask("GET", "/health").status == 200, "it is well")
        monkeypatch.setattr(site.broadcast, "status", fail)
        assert site.ask("GET", "/").status == 200
        answer = site.ask("GET", "/status.json")
        assert answer.status == 200
        (output,) = json.load(answer)["outputs"]
        assert output["state"] == "stopped"
        assert "ZeroDivisionError: a mistake" in output["detail"]
        ill = site.ask("GET", "/health")
        assert ill.status == 503
        assert "a mistake" in json.load(ill)["away"]["http mp3"]


def test_health_is_that_of_every_output_and_a_real_server_that_is_gone_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_real(
        "no icecast2: install it, for instance `apt install icecast2`", icecast_program() is not None
    )
    monkeypatch.setattr(health, "AWAY_S", 3.0)
    with icecast_server() as server, ExitStack() as opened:
        target = icecast_settings(f"icecast://127.0.0.1:{server.port}/a.mp3", SOURCE_PASSWORD)
        outputs: list[EncodedOutput] = [IcecastOutput(target, RATE_HZ), HttpStream(RATE_HZ)]
        web = WebServer(create_app(lambda: a_moment(outputs)), HttpAddress(port=0))
        web.start()
        opened.callback(web.close)
        for output in outputs:
            output.start()
            opened.callback(output.close)
            opened.enter_context(Feeder(output, music(5), speed=1, loop=True))

        def asked(path: str = "/health") -> tuple[int, list[str]]:
            connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
            connection.request("GET", path)
            answer = connection.getresponse()
            told = json.load(answer)
            assert [each["kind"] for each in told["outputs"]] == ["icecast", "http"]
            ill = [each["name"] for each in told["outputs"] if not each["healthy"]]
            assert list(told["away"]) == ill
            return answer.status, ill

        wait_until(lambda: asked() == (200, []), "both are heard")
        server.kill()
        wait_until(lambda: asked() == (503, [target.mount.url]), "the one that is gone is named")
        assert asked("/healthz") == (503, [target.mount.url])
        server.start()
        wait_until(lambda: asked() == (200, []), "both are heard again")


def test_ten_seconds_without_sound_are_unwell(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    silent_for_s: float | None = None
    status = site.broadcast.status()
    monkeypatch.setattr(site.broadcast, "status", lambda: replace(status, audible_ago_s=silent_for_s))
    answers = {}
    for silent_for_s in (0.0, 9.9, 10.1, None):
        answers[silent_for_s] = site.ask("GET", "/health").status
    assert answers == {0.0: 200, 9.9: 200, 10.1: 503, None: 503}


def test_next_is_for_the_page_and_for_who_means_it(site: Site) -> None:
    own = f"http://127.0.0.1:{site.server.port}"
    assert site.ask("POST", "/next", {"X-Endlos": "1"}).status == 204
    page = site.ask("POST", "/next", {"Origin": own})
    assert (page.status, page.headers["location"]) == (303, "./")
    assert site.skips == 2
    for headers in ({}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}):
        assert site.ask("POST", "/next", headers).status == 403
    assert site.ask("GET", "/next").status == 405
    assert site.skips == 2


def test_without_skip_and_without_broadcasts_the_page_offers_neither() -> None:
    server = WebServer(create_app(a_moment), HttpAddress(port=0))
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    connection.request("GET", "/")
    page = connection.getresponse().read().decode()
    assert "<audio" not in page
    assert "<button" not in page
    connection.request("POST", "/next", headers={"X-Endlos": "1"})
    assert connection.getresponse().status == 404
    server.close()
    assert not server.alive


def test_the_page_says_what_plays_without_a_script(site: Site) -> None:
    page = site.ask("GET", "/").read().decode()
    assert "&lt;i&gt;Tea&lt;/i&gt; &amp; “Sympathy”" in page
    assert "The Others – Coffee" in page
    assert "score 0.93" in page
    assert '<source src="stream.mp3" type="audio/mpeg">' in page
    assert "alert(1)</script>" not in page
    assert "$" not in page
    assert "http://" not in page
    assert "https://" not in page
    head = site.ask("HEAD", "/stream.mp3")
    assert (head.status, head.headers["content-type"], site.broadcast.listeners) == (200, "audio/mpeg", 0)


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OutputError, match=rf"127\.0\.0\.1:{port} cannot be served \(Address already in use\)"
        ):
            WebServer(create_app(a_moment), HttpAddress(port=port))
    with pytest.raises(OutputError, match="is no address of this machine"):
        WebServer(create_app(a_moment), HttpAddress(host="no.such.host.invalid", port=0))
    with pytest.raises(OutputError, match="70000 is no port"):
        HttpAddress(port=70_000)


def test_close_with_listeners_and_without_a_start() -> None:
    site = Site()
    listener = site.ask("GET", "/stream.mp3")
    with socket.create_connection(("127.0.0.1", site.server.port)):
        site.close()
    with pytest.raises(http.client.IncompleteRead) as broken:
        listener.read()
    data = broken.value.partial
    # Where the machine took its time, the silence that stands for a sound that does not come.
    assert not data or np.abs(decode(data)[0]).max() < 1e-4
    port = site.server.port
    again = WebServer(create_app(a_moment), HttpAddress(port=port))
    again.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port)).close()
