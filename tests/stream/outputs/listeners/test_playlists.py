"""The playlists name the streams by the name and the way that they were asked for."""

import socket
from collections.abc import Iterator

import pytest

from stream.outputs.address import HttpAddress
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

NAME = "radio.example"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    running = Site(HttpAddress(port=0, names=(NAME,)))
    yield running
    running.close()


def streams(site: Site, **headers: str) -> list[str]:
    answer = site.ask("GET", "/stream.m3u", {name.replace("_", "-"): each for name, each in headers.items()})
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/x-mpegurl")
    return [line for line in answer.read().decode().splitlines() if not line.startswith("#")]


def test_they_list_every_stream(site: Site) -> None:
    url = f"http://{NAME}:1234/stream.mp3"
    m3u = site.ask("GET", "/stream.m3u", {"Host": f"{NAME}:1234"})
    assert m3u.read().decode() == f"#EXTM3U\n#EXTINF:-1,endlos (mp3)\n{url}\n"
    pls = site.ask("GET", "/stream.pls", {"Host": f"{NAME}:1234"})
    assert pls.headers["content-type"] == "audio/x-scpls"
    assert pls.read().decode() == (
        f"[playlist]\nFile1={url}\nTitle1=endlos (mp3)\nLength1=-1\nNumberOfEntries=1\nVersion=2\n"
    )


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"Host": "[::1]:80"}, "http://[::1]:80/stream.mp3"),
        ({"Host": f"me@{NAME.upper()}:80"}, f"http://{NAME}:80/stream.mp3"),
        ({"Host": f"{NAME}/elsewhere?x"}, f"http://{NAME}/stream.mp3"),
        ({"Host": NAME, "X_Forwarded_Proto": "https"}, f"https://{NAME}/stream.mp3"),
        ({"Host": NAME, "X_Forwarded_Proto": "javascript"}, f"http://{NAME}/stream.mp3"),
        ({"Host": "127.0.0.1:8000", "X_Forwarded_Host": NAME}, f"http://{NAME}/stream.mp3"),
        ({"Host": "127.0.0.1:8000", "X_Forwarded_Host": f"evil, {NAME}"}, f"http://{NAME}/stream.mp3"),
        ({"Host": "127.0.0.1:8000", "X_Forwarded_Host": "evil"}, "http://127.0.0.1:8000/stream.mp3"),
        ({"Host": NAME, "X_Forwarded_Prefix": "/radio/one/"}, f"http://{NAME}/radio/one/stream.mp3"),
        ({"Host": NAME, "X_Forwarded_Prefix": "//evil"}, f"http://{NAME}/stream.mp3"),
    ],
)
def test_a_proxy_on_this_machine_says_how_it_was_asked(site: Site, headers: dict[str, str], url: str) -> None:
    assert streams(site, **headers) == [url]


@pytest.mark.parametrize("host", ["evil.example", "a@evil.example", f"{NAME}.evil.example", f"{NAME}:port"])
def test_by_a_name_that_is_not_ours_there_are_none(site: Site, host: str) -> None:
    assert site.ask("GET", "/stream.m3u", {"Host": host}).status == 421


def test_who_says_no_name_is_told_the_address_that_he_came_to(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=PATIENCE_S) as asking:
        asking.sendall(b"GET /stream.m3u HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: asking.recv(4096), b"")).decode()
    assert f"http://127.0.0.1:{site.server.port}/stream.mp3" in answer
