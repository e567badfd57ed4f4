"""The page answers to its own names, and who may be elsewhere changes nothing without a token."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from stream.outputs.address import HttpAddress
from tests.support.site import Site

PATHS = ("/", "/status.json", "/health")
HERE = "127.0.0.1:8000"


@pytest.fixture
def site() -> Iterator[Site]:
    with closing(Site()) as running:
        yield running


@pytest.fixture
def public() -> Iterator[Site]:
    """Served to all the world, with a token."""
    with closing(Site(HttpAddress(host="0.0.0.0", port=0, token="s3cret"))) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_a_name_that_somebody_else_made_resolve_here_is_refused(site: Site, public: Site, path: str) -> None:
    for each in (site, public):
        for name in (
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
        ):
            assert each.ask("GET", path, {"Host": name}).status == 421, name
        for name in ("localhost", "LOCALHOST:8000", HERE, "[::1]:8000", "192.168.1.7:8000", "[fe80::1]"):
            assert each.ask("GET", path, {"Host": name}).status in (200, 503), name


def test_what_resolves_here_cannot_go_on(site: Site) -> None:
    for origin in ({}, {"Origin": "http://evil.example"}):
        for word in ({}, {"X-Endlos": "1"}):
            answer = site.ask("POST", "/next", {"Host": "evil.example", **origin, **word})
            assert answer.status == 421
    assert site.skips == 0
    assert site.ask("GET", "/stream.mp3", {"Host": "radio.example"}).status == 200, "a stream is for all"


def test_names_that_were_given_are_known() -> None:
    with closing(Site(HttpAddress(port=0, names=("Radio.example",)))) as site:
        for path in PATHS:
            assert site.ask("GET", path, {"Host": "radio.example:443"}).status in (200, 503)
            assert site.ask("GET", path, {"Host": "evil.example"}).status == 421


def test_a_page_from_elsewhere_changes_nothing_whatever_else_it_says(site: Site) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = site.ask("POST", "/next", {"Host": HERE, "Origin": origin, "X-Endlos": "1"})
        assert answer.status == 403, origin
    assert site.skips == 0


@pytest.mark.parametrize(
    "said", [{}, {"X-Endlos": "1"}, {"Authorization": "Bearer s3cre"}, {"Authorization": "s3cret"}]
)
def test_on_a_public_address_nothing_is_changed_without_the_token(public: Site, said: dict[str, str]) -> None:
    assert public.ask("POST", "/next", said).status == 403
    assert public.ask("POST", "/next", {**said, "Host": HERE, "Origin": f"http://{HERE}"}).status == 403
    assert public.skips == 0
    assert public.ask("POST", "/next", {"Authorization": "Bearer s3cret"}).status == 204
    assert public.skips == 1


def test_without_a_token_a_public_page_offers_nothing_to_change() -> None:
    with closing(Site(HttpAddress(host="0.0.0.0", port=0))) as site:
        assert "<button" not in site.ask("GET", "/").read().decode()
        for said in ("", "Bearer ", "Bearer None"):
            answer = site.ask("POST", "/next", {"X-Endlos": "1", "Authorization": said})
            assert answer.status == 403
            assert b"ENDLOS_HTTP_TOKEN" in answer.read()
    assert site.skips == 0


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_who_comes_by_a_proxy_of_this_machine_is_not_on_it(site: Site, header: str) -> None:
    by_proxy = {"Host": HERE, header: "203.0.113.7"}
    assert site.ask("POST", "/next", {**by_proxy, "X-Endlos": "1"}).status == 403
    status = json.load(site.ask("GET", "/status.json", by_proxy))
    assert status["outputs"][0]["name"] == "output 1"
    assert site.skips == 0


def test_a_public_status_says_how_the_outputs_are_and_not_where(site: Site, public: Site) -> None:
    at_home = json.load(site.ask("GET", "/status.json"))["outputs"][0]
    assert (at_home["name"], bool(at_home["detail"])) == ("http mp3", True)
    abroad = json.load(public.ask("GET", "/status.json"))["outputs"][0]
    assert (abroad["name"], abroad["detail"]) == ("output 1", "")
    assert abroad["state"] in ("starting", "playing")
    told = json.load(public.ask("GET", "/health"))
    assert list(told["away"]) == list(told["seconds_since_sound"]) == ["output 1"]
    assert told["away"]["output 1"] in ("starting", "playing")
